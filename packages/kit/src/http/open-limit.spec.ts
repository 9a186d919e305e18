import { expect, it } from 'vitest'
import { OpenLimit } from './open-limit.js'

it('limits what is open of a key, and not of other keys', () => {
  const open = new OpenLimit()
  const entered = ['a', 'a', 'a', 'b'].map((key) => open.enter(key, 2))
  expect(entered).toEqual([true, true, false, true])
  open.leave('a')
  expect([open.enter('a', 2), open.enter('a', 2)]).toEqual([true, false])
})
