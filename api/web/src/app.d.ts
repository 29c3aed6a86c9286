export {};

declare module 'svelte/elements' {
  interface HTMLAttributes<T> {
    /** media-chrome: laid over the picture, and does not hide with the controls. */
    noautohide?: boolean;
  }
}
