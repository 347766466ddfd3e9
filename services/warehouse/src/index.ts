// What do tests need of the warehouse?
export { createConnect, type Connect } from './connect.ts'
