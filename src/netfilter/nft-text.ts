/** A rule of nft's JSON as `nft list ruleset` would write it, near enough to be recognised. */

type Json = Readonly<Record<string, unknown>>;

export function nftRuleText(expressions: readonly unknown[], comment: unknown): string {
  const words = expressions.map(statementText).filter((text) => text !== '');
  if (typeof comment === 'string') words.push(`comment "${comment}"`);
  return words.join(' ');
}

function statementText(json: unknown): string {
  if (typeof json !== 'object' || json === null) return String(json);
  const [name, body] = Object.entries(json)[0] ?? ['', null];
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Json;
  switch (name) {
    case 'match': {
      const op = fields.op === '==' || fields.op === 'in' ? '' : `${String(fields.op)} `;
      return `${expressionText(fields.left)} ${op}${expressionText(fields.right)}`;
    }
    case 'vmap':
      return `${expressionText(fields.key)} vmap ${expressionText(fields.data)}`;
    case 'mangle':
      return `${expressionText(fields.key)} set ${expressionText(fields.value)}`;
    case 'jump':
    case 'goto':
      return `${name} ${String(fields.target)}`;
    case 'reject':
      return fields.type === undefined
        ? 'reject'
        : `reject with ${String(fields.type)}${fields.expr === undefined ? '' : ` ${String(fields.expr)}`}`;
    case 'dnat':
    case 'snat':
    case 'redirect':
    case 'masquerade': {
      const addr = fields.addr === undefined ? '' : ` ${expressionText(fields.addr)}`;
      const port = fields.port === undefined ? '' : `:${expressionText(fields.port)}`;
      const flags = fields.flags === undefined ? '' : ` ${[fields.flags].flat().join(',')}`;
      const to = addr === '' && port === '' ? '' : ` to${addr}${addr === '' ? ` ${port}` : port}`;
      return `${name}${fields.family === undefined ? '' : ` ${String(fields.family)}`}${to}${flags}`;
    }
    case 'counter':
      return typeof body === 'string' ? `counter name ${body}` : 'counter';
    default:
      return body === null ? name : `${name} ${JSON.stringify(body)}`;
  }
}

export function expressionText(json: unknown): string {
  if (Array.isArray(json)) return json.map(expressionText).join(',');
  if (typeof json !== 'object' || json === null) return String(json);
  const [name, body] = Object.entries(json)[0] ?? ['', null];
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Json;
  switch (name) {
    case 'payload':
      return fields.base === undefined
        ? `${String(fields.protocol)} ${String(fields.field)}`
        : `@${String(fields.base)},${String(fields.offset)},${String(fields.len)}`;
    case 'meta':
      return `meta ${String(fields.key)}`;
    case 'ct':
      return `ct ${fields.dir === undefined ? '' : `${String(fields.dir)} `}${String(fields.key)}`;
    case 'fib':
      return `fib ${[fields.flags].flat().join(' . ')} ${String(fields.result)}`;
    case 'prefix':
      return `${String(fields.addr)}/${String(fields.len)}`;
    case 'range':
      return (body as unknown[]).map(expressionText).join('-');
    case 'concat':
      return (body as unknown[]).map(expressionText).join(' . ');
    case 'set':
      return `{ ${elementsText(body)} }`;
    case 'map':
      return `${expressionText(fields.key)} map ${expressionText(fields.data)}`;
    case 'elem':
      return expressionText(fields.val);
    case 'numgen':
      return `numgen ${String(fields.mode)} mod ${String(fields.mod)}`;
    case '|':
    case '&':
    case '^':
    case '<<':
    case '>>':
      return (body as unknown[]).map(expressionText).join(` ${name} `);
    default:
      return `${name} ${JSON.stringify(body)}`;
  }
}

/** More elements than this are counted. */
const SHOWN = 6;

function elementsText(body: unknown): string {
  const elements = Array.isArray(body) ? body : [body];
  const shown = elements
    .slice(0, SHOWN)
    .map((element) =>
      Array.isArray(element) && element.length === 2 && typeof element[1] === 'object'
        ? `${expressionText(element[0])} : ${verdictText(element[1])}`
        : Array.isArray(element)
          ? element.map(expressionText).join(' : ')
          : expressionText(element),
    );
  if (elements.length > SHOWN) shown.push(`… ${elements.length - SHOWN} more`);
  return shown.join(', ');
}

function verdictText(json: unknown): string {
  const [name] = Object.entries(json as object)[0] ?? [''];
  return ['accept', 'drop', 'return', 'continue', 'jump', 'goto', 'queue'].includes(name)
    ? statementText(json)
    : expressionText(json);
}
