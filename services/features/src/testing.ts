// What do tests elsewhere need that fold activity? Random histories, and the obvious code as an oracle.
export { histories } from './core/histories.ts'
export { Oracle } from './core/oracle.ts'
export { activity, at, bet, day0 } from './core/testing.ts'
