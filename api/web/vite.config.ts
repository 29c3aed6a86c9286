import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The page is served by the same origin as the API. In development Vite proxies
// to a running server: REPRISE_URL=http://127.0.0.1:8080 npm run dev
const server = process.env['REPRISE_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2022',
    // A data: URL would need its own word in the content security policy.
    assetsInlineLimit: 0,
    // The player is one chunk, loaded when there is something to watch; scripts/budget.mjs watches its size.
    chunkSizeWarningLimit: 800,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': server, '/p': server } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
