import { defineConfig } from 'vite'

export default defineConfig({
  // `varve` is a link to the checkout here, and must use the React of this application.
  resolve: { dedupe: ['react', 'react-dom'] },
})
