// The rooms of src/ and what each may import. Data moves one way; nothing below knows anything above.
// `errors.ts` (the base class of what the world does to us) may be imported by every room.
const MAY_IMPORT = {
  addr: [],
  hash: ['addr'],
  wire: ['addr'],
  capture: [],
  flow: ['addr', 'hash', 'wire', 'capture'],
  conntrack: ['addr', 'hash', 'wire'],
  route: ['addr', 'hash'],
  bgp: ['addr', 'route', 'capture', 'flow'],
  control: [],
  cluster: ['addr', 'hash', 'route', 'control'],
  path: ['addr', 'hash', 'wire', 'flow', 'conntrack', 'route', 'cluster'],
  replay: ['addr', 'hash', 'wire', 'capture', 'flow', 'conntrack', 'route', 'control', 'cluster', 'path'],
  stories: [
    'addr',
    'hash',
    'wire',
    'flow',
    'capture',
    'conntrack',
    'control',
    'cluster',
    'route',
    'path',
    'replay',
  ],
  report: ['addr', 'wire', 'capture', 'flow', 'cluster', 'replay', 'stories'],
  live: [
    'addr',
    'hash',
    'wire',
    'capture',
    'flow',
    'conntrack',
    'route',
    'bgp',
    'cluster',
    'path',
    'replay',
    'stories',
    'report',
  ],
};
const rooms = Object.keys(MAY_IMPORT);
const rules = rooms.map((room) => ({
  name: `${room}-imports`,
  severity: 'error',
  comment: `src/${room} may import only: ${MAY_IMPORT[room].join(', ') || 'nothing'}`,
  from: { path: `^src/${room}/` },
  to: {
    path: '^src/',
    pathNot: [`^src/${room}/`, '^src/errors\\.ts$', ...MAY_IMPORT[room].map((r) => `^src/${r}/`)],
  },
}));
module.exports = {
  forbidden: [
    ...rules,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'pure-rooms-do-no-io',
      severity: 'error',
      comment: 'these rooms see bytes and arguments only: no files, sockets, clocks or processes',
      from: { path: '^src/(addr|hash|wire|conntrack|route|control|path)/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?net$' },
    },
    {
      name: 'sockets-in-one-file',
      severity: 'error',
      comment: 'node:net sockets and dgram belong to bgp/transport, bgp/bfd-transport, live and cli',
      from: { path: '^src/', pathNot: '^src/(bgp/(bfd-)?transport\\.ts|addr/|live/|cli/)' },
      to: { path: '^(node:)?(net|dgram|http|https|tls)$', dependencyTypes: ['core'] },
    },
    {
      name: 'src-is-alone',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(bench|test|scripts)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.js'],
    },
  },
};
