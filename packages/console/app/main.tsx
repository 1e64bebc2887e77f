// Starts the console.

import { render } from 'preact'

import { App } from './app.tsx'
// oxlint-disable-next-line import/no-unassigned-import -- it becomes a file beside the script
import './style.css'

render(<App />, document.querySelector('#app')!)
