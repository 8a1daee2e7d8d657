declare module 'pcap-parser' {
  import type { EventEmitter } from 'node:events';
  import type { Readable } from 'node:stream';

  const pcapParser: { parse(input: string | Readable): EventEmitter };
  // biome-ignore lint/style/noDefaultExport: that is what the package exports
  export default pcapParser;
}
