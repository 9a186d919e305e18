/**
 * The codes of ISO 4217, from list one (current) and list three (withdrawn) of the maintenance agency SIX:
 * https://www.six-group.com/en/products-services/financial-information/data-standards.html
 */

/** The publication date of both lists. Update it with the codes. */
export const ISO_4217_PUBLISHED = '2026-01-01'

/** Currencies of new payments, by the number of decimal places. */
const CURRENT: Readonly<Record<number, string>> = {
  0: `
    BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF`,
  2: `
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD
    CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
    GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL
    MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN
    PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP
    SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`,
  3: `
    BHD IQD JOD KWD LYD OMR TND`,
}

/**
 * Withdrawn codes, which stored payments may have. List three omits the decimal places, so these are those of
 * the last list one with the code. For codes withdrawn before 2014, which no payment has, 2 is assumed.
 */
const WITHDRAWN: Readonly<Record<number, string>> = {
  0: `
    BYR`,
  2: `
    ADP AFA ALK ANG AOK AON AOR ARA ARP ARY ATS AYM AZM BAD BEC BEF BEL BGJ BGK BGL BGN BOP
    BRB BRC BRE BRN BRR BUK BYB CHC CSD CSJ CSK CUC CYP DDM DEM ECS ECV EEK ESA ESB ESP
    FIM FRF GEK GHC GHP GNE GNS GQE GRD GWE GWP HRD HRK IEP ILP ILR ISJ ITL LAJ LSM LTL LTT
    LUC LUF LUL LVL LVR MGF MLF MRO MTL MTP MVQ MXP MZE MZM NIC NLG PEH PEI PES PLZ PTE RHD
    ROK ROL RUR SDD SDP SIT SKK SLL SRG STD SUR TJR TMM TPE TRL UAK UGS UGW USS UYN UYP VEB
    VEF VNC XEU XFO XFU XRE YDD YUD YUM YUN ZAL ZMK ZRN ZRZ ZWC ZWD ZWL ZWN ZWR`,
}

/**
 * Codes of list one for other things than money: fund codes and units of account (`UYW`, `XAD`), precious
 * metals, bond market units, testing, no currency.
 */
const NOT_MONEY = `
  BOV CHE CHW CLF COU MXV USN UYI UYW XAD XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA
  XXX`

const codesOf = (list: string) => list.trim().split(/\s+/)

const digitsByCode = (table: Readonly<Record<number, string>>) =>
  new Map(
    Object.entries(table).flatMap(([digits, list]) =>
      codesOf(list).map((code) => [code, Number(digits)] as const),
    ),
  )

const current: ReadonlyMap<string, number> = digitsByCode(CURRENT)
const withdrawn: ReadonlyMap<string, number> = digitsByCode(WITHDRAWN)
const notMoney: ReadonlySet<string> = new Set(codesOf(NOT_MONEY))

/** The currencies that a new payment can have. */
export const CURRENCIES: readonly string[] = [...current.keys()]

/** Whether a new payment can have the currency. */
export function isCurrency(code: string): boolean {
  return current.has(code)
}

/** Whether a stored payment can have the currency. */
export function isStoredCurrency(code: string): boolean {
  return current.has(code) || withdrawn.has(code)
}

/** Whether the code is in one of the three lists above. */
export function isListed(code: string): boolean {
  return isStoredCurrency(code) || notMoney.has(code)
}

/** The number of decimal places of a current or withdrawn currency. */
export function digitsOf(code: string): number | undefined {
  return current.get(code) ?? withdrawn.get(code)
}
