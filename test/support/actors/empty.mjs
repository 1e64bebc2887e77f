export const nothing = { type: 'nothing' }
