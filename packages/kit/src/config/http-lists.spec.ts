import { describe, expect, it } from 'vitest'
import { readEnv } from './env.js'
import { origins, proxies } from './http-lists.js'

describe('trusted proxies', () => {
  const parse = (input: string) => readEnv({ P: input }, { P: proxies() }).P

  it('are addresses and networks in canonical form', () => {
    expect(parse(' 10.0.0.0/8, ,127.0.0.1,FD00::/8,::ffff:192.0.2.0/120, fe80::1%eth0')).toEqual([
      '10.0.0.0/8',
      '127.0.0.1/32',
      'fd00::/8',
      '192.0.2.0/24',
      'fe80::1/128',
    ])
  })

  it.each(['a;b', 'true', 'host', '10.0.0.0/33', '10.0.0.1:80', '[::1]', '10.0.0.0/8 ::1'])(
    'rejects %j',
    (input) => expect(() => parse(input)).toThrow(/^P must list addresses or networks, such as/),
  )

  it.each(['1', '2', '10.0.0.0/8,1'])('rejects the number of hops in %j', (input) => {
    expect(() => parse(input)).toThrow(
      /^P must list the addresses.*number of hops is not supported/,
    )
  })

  it.each(['0.0.0.0/0', '::/0', '10.0.0.0/0', '::ffff:0:0/96'])('rejects %j', (input) => {
    expect(() => parse(input)).toThrow(/^P must not trust every address/)
  })
})

describe('origins', () => {
  const parse = (input: string) => readEnv({ O: input }, { O: origins() }).O

  it.each([
    ['https://app.example', 'https://app.example'],
    ['https://app.example/', 'https://app.example'],
    ['HTTPS://App.Example', 'https://app.example'],
    ['https://app.example:443', 'https://app.example'],
    ['http://app.example:80/', 'http://app.example'],
    ['http://localhost:5173', 'http://localhost:5173'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
    ['*', '*'],
  ])('%s becomes %s', (input, origin) => {
    expect(parse(input)).toEqual([origin])
  })

  it('are separated by commas and spaces, and listed once', () => {
    expect(parse(' https://a.example , https://b.example/,https://A.example')).toEqual([
      'https://a.example',
      'https://b.example',
    ])
  })

  it.each([
    '*.example',
    'https://*.example',
    'app.example',
    'app.example:443',
    'localhost:5173',
    '//app.example',
    'https:app.example',
    'https://app.example/path',
    'https://app.example//',
    'https://app.example?',
    'https://app.example#',
    'https://user@app.example',
    'https://a.example https://b.example',
    'ftp://app.example',
    'file:///tmp',
    'https://',
    'null',
    'https://app.example:99999',
  ])('rejects %j', (input) => {
    expect(() => parse(input)).toThrow(/^O must list origins such as https:\/\/app.example/)
  })
})
