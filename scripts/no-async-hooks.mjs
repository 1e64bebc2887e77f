// Loaded into each test's process before tap: turns async hooks off.
//
// tap follows each promise with a hook, to name the subtest in which an error was thrown that nobody caught. That takes
// two thirds of the CPU time of tests with many promises. Without it such an error ends the process, and the file fails.

import asyncHooks from 'node:async_hooks'
import { syncBuiltinESMExports } from 'node:module'

asyncHooks.createHook = () => {
  const hook = { enable: () => hook, disable: () => hook }
  return hook
}
syncBuiltinESMExports()
