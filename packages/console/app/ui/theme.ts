// Light or dark: as the system says, or as the user has chosen.

export type Theme = 'system' | 'light' | 'dark'

const key = 'cairn-theme'

export function savedTheme(): Theme {
  const saved = localStorage.getItem(key)
  return saved === 'light' || saved === 'dark' ? saved : 'system'
}

export function applyTheme(theme: Theme): void {
  if (theme === 'system') localStorage.removeItem(key)
  else localStorage.setItem(key, theme)
  document.documentElement.dataset['theme'] = theme
  dispatchEvent(new Event('cairn-theme'))
}
