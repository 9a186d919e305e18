import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { endpointUrlProblem, judgeUrl, MAX_URL_LENGTH } from './endpoint-url.js'
import type { EgressPolicy } from './policy.js'

/** Forbidden addresses have their table in test/egress/forbidden-targets.ts. */

const LIVE: EgressPolicy = { mode: 'live', denied: [], nat64: undefined, allowHosts: [] }
const SANDBOX: EgressPolicy = { ...LIVE, mode: 'sandbox' }

describe('the URL of an endpoint', () => {
  it.each([
    'https://merchant.example',
    'https://merchant.example/',
    'HTTPS://Merchant.Example/Notifications?key=a%20b&x=1',
    'https://merchant.example:443/',
    'https://merchant.example:1024/',
    'https://a-b_c.merchant.co.ug:65535/a/b;c=d',
    'https://1.example/',
    'https://bücher.example/ü',
    'https://xn--bcher-kva.example/',
    'https://8.8.8.8/',
    'https://[2606:4700::1111]:8443/',
  ])('may be %s in both modes', (url) => {
    expect(endpointUrlProblem(url, LIVE)).toBeUndefined()
    expect(endpointUrlProblem(url, SANDBOX)).toBeUndefined()
  })

  it('is https in live', () => {
    const url = 'http://merchant.example:8080/'
    expect(endpointUrlProblem(url, LIVE)).toBe('must begin with https:// and a host')
    expect(endpointUrlProblem(url, SANDBOX)).toBeUndefined()
    expect(endpointUrlProblem('ftp://merchant.example:8080/', SANDBOX)).toBe(
      'must begin with https:// or http:// and a host',
    )
  })

  it.each([
    ['https://', /must begin with https:/],
    ['https:///merchant.example', /must begin with https:/],
    ['https:merchant.example', /must begin with https:/],
    ['//merchant.example', /must begin with https:/],
    ['merchant.example', /must begin with https:/],
    ['javascript:alert(1)', /must begin with https:/],
    ['https://user@merchant.example/', /no user or password/],
    ['https://user:secret@merchant.example/', /no user or password/],
    ['https://@merchant.example/', /no user or password/],
    ['https://merchant.example/#part', /no fragment/],
    ['https://merchant.example/#', /no fragment/],
    ['https://merchant.example#', /no fragment/],
    ['https://merchant.example:22/', /must have port 443, or one from 1024 on/],
    ['https://merchant.example:80/', /must have port 443/],
    ['https://merchant.example:1023/', /must have port 443/],
    ['https://merchant.example:0/', /must have port 443/],
    ['https://merchant.example:65536/', /must be a URL such as/],
    ['https://merchant.example:port/', /must be a URL such as/],
    ['https://mer chant.example/', /no spaces/],
    ['https://merchant.example/a b', /no spaces/],
    ['https://merchant.example/\0', /no spaces/],
    ['https://merchant.example/\uD800', /no spaces/],
    ['https://merchant\u00AD.example/', /no spaces/],
    ['https://merchant.example\u202E/', /no spaces/],
    ['https://merchant.example\\@other.example/', /no spaces, backslashes/],
    ['https://merchant/', /the complete name of a public host/],
    ['https://merchant.example./', /the complete name of a public host/],
    ['https://a..example/', /the complete name of a public host/],
    ['https://-a.example/', /the complete name of a public host/],
    [`https://${'a'.repeat(64)}.example/`, /the complete name of a public host/],
    [`https://${'a.'.repeat(125)}example/`, /the complete name of a public host/],
    ['https://merchant.invalid/', /it names an internal one/],
    ['https://merchant.onion/', /it names an internal one/],
    ['https://10.0.0.1/', /it names an internal one/],
    ['https://1.2.3.4.5/', /must be a URL such as/],
    ['https://a%00.example/', /must be a URL such as/],
    ['', /must begin with https:/],
  ])('is not %j', (url, message) => {
    expect(endpointUrlProblem(url, LIVE)).toMatch(message)
  })

  it(`has at most ${MAX_URL_LENGTH} characters`, () => {
    const url = (length: number) => `https://merchant.example/${'a'.repeat(length - 25)}`
    expect(endpointUrlProblem(url(MAX_URL_LENGTH), LIVE)).toBeUndefined()
    expect(endpointUrlProblem(url(MAX_URL_LENGTH + 1), LIVE)).toMatch(/at most 2048 characters/)
  })

  it('has no http at port 80, which the network policy does not allow', () => {
    expect(endpointUrlProblem('http://merchant.example/', SANDBOX)).toMatch(/must have port 443/)
  })
})

describe('the hosts that the sandbox allows', () => {
  const policy = {
    ...SANDBOX,
    allowHosts: [
      { host: 'receiver', port: undefined },
      { host: '127.0.0.1', port: 8080 },
      { host: '::1', port: 80 },
    ],
  }

  it.each([
    ['http://receiver/', true],
    ['http://RECEIVER:22/a', true],
    ['https://receiver/', true],
    ['http://127.0.0.1:8080/', true],
    ['http://0x7f.1:8080/', true],
    ['http://127.0.0.1:8081/', false],
    ['http://127.0.0.2:8080/', false],
    ['http://[::1]/', true],
    ['http://[::1]:8080/', false],
    ['http://receiver.example:22/', false],
    ['http://user@receiver/', false],
    ['http://receiver/#', false],
    ['ftp://receiver/', false],
  ])('accept %s: %s', (url, expected) => {
    expect(endpointUrlProblem(url, policy) === undefined).toBe(expected)
  })
})

it('a refusal says whether it is for the address', () => {
  expect(judgeUrl('https://10.0.0.1/', LIVE)).toMatchObject({ error: 'forbidden_address' })
  expect(judgeUrl('https://a.localhost/', LIVE)).toMatchObject({ error: 'forbidden_address' })
  expect(judgeUrl('https://merchant.example:22/', LIVE)).toMatchObject({ error: 'invalid_url' })
})

it('no text throws, and an accepted one is the URL that is delivered to', () => {
  const part = fc.oneof(
    fc.webUrl(),
    fc.string(),
    fc.webAuthority({ withIPv4: true, withIPv6: true, withPort: true }),
  )
  fc.assert(
    fc.property(part, fc.constantFrom('', 'https://', 'http://'), (text, scheme) => {
      const judged = judgeUrl(`${scheme}${text}`, SANDBOX)
      const shown =
        judged.kind === 'refused'
          ? judged.reason
          : `must ${judged.url.protocol}${judged.url.username}${judged.url.password}${judged.url.hash}`
      expect(shown).toMatch(/^must (?:https?:$|[a-z])/)
    }),
  )
})
