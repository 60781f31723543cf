// What the browser has and TypeScript's library does not know yet.
interface JSON {
  rawJSON?(text: string): unknown;
  isRawJSON?(value: unknown): boolean;
}
