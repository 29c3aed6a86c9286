// Vite empties dist before it builds; git and go:embed need the folder to stay.
import { writeFileSync } from 'node:fs';

writeFileSync(new URL('../dist/.gitkeep', import.meta.url), '');
