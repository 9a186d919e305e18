/** The values of `X-Target-Environment`, with the currency of each market. */
export const MTN_ENVIRONMENTS = {
  sandbox: 'EUR',
  mtnuganda: 'UGX',
  mtnghana: 'GHS',
  mtnivorycoast: 'XOF',
  mtnzambia: 'ZMW',
  mtncameroon: 'XAF',
  mtnbenin: 'XOF',
  mtncongo: 'XAF',
  mtnswaziland: 'SZL',
  mtnguineaconakry: 'GNF',
  mtnsouthafrica: 'ZAR',
  mtnliberia: 'LRD',
  mtnsouthsudan: 'SSP',
  mtnnigeria: 'NGN',
  mtnrwanda: 'RWF',
} as const

export type MtnEnvironment = keyof typeof MTN_ENVIRONMENTS
