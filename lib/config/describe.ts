export function settingKeys(): readonly string[] {
  return []
}
