// Terms that the project does not use, and the standard term for each. `make lint` looks for them
// in every tracked text file. A pattern matches case-insensitively unless it has flags of its own.

/** @typedef {{ pattern: RegExp, use: string, files?: RegExp, not?: RegExp }} Term */

/** @type {Term[]} */
export const TERMS = [
  {
    pattern: /\buntold\b|\btold\b(?! apart)|\btell(s|ing|er|ers)?\b(?!.{0,12} apart)/i,
    use: 'log, publish, return, report, set; outbox relay',
  },
  { pattern: /hurdle/i, use: 'rate limit' },
  { pattern: /\bvisit(s|ing|or)?\b/i, use: 'client context' },
  { pattern: /\bendings?\b|\bends? of (a |the )?sessions?\b/i, use: 'session revocation' },
  {
    pattern: /\bMeters\b|\bBearing\b|\bMeans\b|\bKeyOrder\b|\bOrderError\b/,
    use: 'metrics, subject, context, command',
  },
  { pattern: /\bdoors?\b|\bwelcome\b/i, use: 'load shedder, maxInFlight' },
  { pattern: /\bturns? of the (event )?loop\b/i, use: 'event-loop tick' },
  {
    pattern: /crowd|passenger|\briders?\b|\brides?\b|\bdeparts?\b|\bdeparting\b|\bon board\b/i,
    use: 'batch, item, batched call, enqueue, dispatch',
  },
  { pattern: /\bfates?\b|fateOf/i, use: 'retry verdict' },
  { pattern: /\bkept\b/i, use: 'retained, stored; durable' },
  {
    pattern: /\bknown tokens?\b|knownTokens|\bbad tokens?\b|badTokens|\bleft alone\b|isLeftAlone/i,
    use: 'local token cache, rejected tokens, circuit open',
  },
  {
    pattern: /\bwish(es)?\b|\bbecame\b|newborn|madeBy/i,
    use: 'input, outcome, initial state, find by operation id',
  },
  {
    pattern: /\barrivals?\b|\barriv(e|es|ed)\b/i,
    use: 'incoming webhook, apply',
    files: /webhooks?[^/]*(\/|\.)/,
  },
  {
    pattern: /\banew\b|\bas one\b|\bof its own\b|\bof their own\b|\bfor good\b/i,
    use: 'again, together, own, permanently',
  },
  { pattern: /\bbe a text\b|\bas a text\b|\ba text\b/i, use: 'a string' },
  {
    pattern: /whether a token counts|who is calling is not known/i,
    use: 'validate an access token, authentication required',
  },
  { pattern: /\bwhoever\b|\bnobody\b/i, use: 'the request, client or caller that is meant' },
  { pattern: /\b(held|hold|holds|holding) up\b/i, use: 'delay, block, rate-limit' },
  { pattern: /\b(is|are|was|were|be) over\b/i, use: 'expired, completed, revoked' },
  { pattern: /\bg(o|oes|one|oing) on\b|\bwent on\b/i, use: 'continue' },
  { pattern: /\bbookmarks?\b/i, use: 'position' },
  { pattern: /\bgood tokens?\b|\btoken is good\b/i, use: 'valid token' },
]

/**
 * Allowed exceptions, by file and text: where a word is standard there, or belongs to somebody else's name.
 *
 * @type {{ file: RegExp, text: RegExp, why: string }[]}
 */
export const EXCEPTIONS = [
  { file: /^packages\/local\/src\/postgres-user\.ts$/, text: /nobody/, why: 'the Unix user' },
  {
    file: /^packages\/kit\/src\/postgres\/database-pool\.ts$/,
    text: /\.ending\b/,
    why: 'a property of pg-pool',
  },
]
