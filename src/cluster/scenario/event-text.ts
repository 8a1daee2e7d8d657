/**
 * One event as words, for `--event`: a time, a verb, and what the verb acts on.
 *
 *   "5s withdraw n2"      "5s withdraw n1,n2"     "5s speakerDown n2 silent"      "8s drain n2 gracePeriod=10s"
 *   "10s scale web 5"     "5s endpointGone n1-p0" "5s proxyStall n1 for=30s"      "5s proxyStall 30s"
 *   "5s route 203.0.113.10/32 n1,n3,n4*2"         "5s ecmp select=resilient buckets=128"
 *   "5s rulesBecome n1 after.txt"
 *   "5s poolMember add n5"                      "5s poolMember web offline n1,n2"
 *   "0s rollingRedeploy n1,n2 every=60s downFor=20s"
 *
 * Words become the entry that a scenario file would hold, so that one schema judges both.
 */
import { FlowfateError } from '../../errors.js';
import { nearest } from '../yaml/nearest.js';
import { described, pathText, unknownKey } from '../yaml/schema-issues.js';
import type { TimelineFacts } from './facts.js';
import { type RawTimelineEntry, timelineEntrySchema, VERBS, type Verb } from './timeline-schema.js';

type Settings = Record<string, unknown>;

interface Words {
  /** without `=`, in order */
  readonly plain: readonly string[];
  /** `key=value` */
  readonly settings: Readonly<Record<string, string>>;
}

/** The entry that the words stand for. Throws a FlowfateError of code `usage`. */
export function parseEventText(text: string): RawTimelineEntry {
  const [at, verb, ...rest] = text.trim().split(/\s+/);
  if (at === undefined || at === '' || verb === undefined) {
    throw wrong(text, 'it needs a time and a verb, as in "5s withdraw n2"');
  }
  if (!(VERBS as readonly string[]).includes(verb)) {
    const meant = nearest(verb, VERBS);
    const hint = meant === null ? `the verbs are ${VERBS.join(', ')}` : `did you mean ${meant}?`;
    throw wrong(text, `there is no verb "${verb}"; ${hint}`);
  }
  const words = sortWords(rest);
  const result = timelineEntrySchema.safeParse({ at, [verb]: objectOf(verb as Verb, words, text) });
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  if (issue.path[0] === 'at') throw wrong(text, `${issue.message}, found ${described(at)}`);
  const inner = innermost(issue);
  const where = pathText(inner.path.slice(1) as (string | number)[]);
  if (inner.code === 'unrecognized_keys') throw wrong(text, unknownKey(inner.keys[0]!, where, inner.message));
  throw wrong(text, `${where === '' ? '' : `${where}: `}${inner.message}`);
}

/** The same with its place: an `--event` has no lines, so its faults name it instead. */
export function eventFacts(text: string): TimelineFacts {
  const place = { document: { positionOf: () => ({ file: `--event "${text}"` }) }, path: [] };
  return { place, entry: parseEventText(text) };
}

/** What the verb acts on, as a scenario file would write it. */
function objectOf(verb: Verb, { plain, settings }: Words, text: string): unknown {
  const atMost = (count: number): void => {
    if (plain.length > count) throw wrong(text, `"${plain[count]}" is one word too many`);
  };
  switch (verb) {
    case 'speakerDown': {
      atMost(2);
      return { node: listOf(plain[0]), ...(plain[1] === undefined ? {} : { mode: plain[1] }), ...settings };
    }
    case 'drain':
      atMost(1);
      return { node: listOf(plain[0]), ...settings };
    case 'scale': {
      atMost(2);
      const [service, replicas] = plain.length === 1 ? [undefined, plain[0]] : plain;
      const given: Settings = {
        ...(service === undefined ? {} : { service }),
        ...(replicas === undefined ? {} : { replicas }),
        ...settings,
      };
      return numbered(given, 'replicas');
    }
    case 'rollingRedeploy':
      return { ...(plain.length === 0 ? {} : { nodes: plain.flatMap(listOf) }), ...lists(settings, 'nodes') };
    case 'proxyStall': {
      if (plain.length === 1 && settings.for === undefined && /^[\d.]/.test(plain[0]!)) return plain[0];
      const nodes = plain.length === 0 ? {} : { nodes: plain.flatMap(listOf) };
      return { ...nodes, ...lists(settings, 'nodes', 'node') };
    }
    case 'route': {
      const [prefix, ...hops] = plain;
      return {
        ...(prefix === undefined ? {} : { prefix }),
        nextHops: hops.flatMap(listOf).filter((hop) => hop !== 'none'),
        ...lists(settings, 'nextHops'),
      };
    }
    case 'rulesBecome': {
      const [node, ...files] = plain;
      return {
        ...(node === undefined ? {} : { node }),
        ...(files.length === 0 ? {} : { file: files.flatMap(listOf) }),
        ...lists(settings, 'file'),
      };
    }
    case 'ecmp':
      atMost(0);
      if (Object.keys(settings).length === 0)
        throw wrong(text, 'it names no setting, as in select=resilient');
      return numbered(settings, 'buckets');
    case 'unhealthy':
    case 'throttle': {
      if (plain.length === 0 && settings.pod === undefined) throw wrong(text, `${verb} needs a pod and for=`);
      const pods = plain.length === 0 ? {} : { pod: plain.flatMap(listOf) };
      return numbered(numbered({ ...pods, ...lists(settings, 'pod') }, 'limit'), 'threads');
    }
    case 'poolMember': {
      atMost(3);
      // "add n5" acts on the only pool, "web add n5" names it
      const [member = '', action = '', pool] = [...plain].reverse();
      const given = pool === undefined ? {} : { pool };
      return numbered(
        { ...given, ...(action === '' ? {} : { [action]: listOf(member) }), ...settings },
        'ratio',
      );
    }
    default:
      if (Object.keys(settings).length > 0) {
        throw wrong(text, `${verb} takes names only, not "${Object.keys(settings)[0]}="`);
      }
      if (plain.length === 0) throw wrong(text, `${verb} needs a name, as in "5s ${verb} …"`);
      return plain.flatMap(listOf);
  }
}

function sortWords(words: readonly string[]): Words {
  const plain: string[] = [];
  const settings: Record<string, string> = {};
  for (const word of words) {
    const equals = word.indexOf('=');
    if (equals > 0) settings[word.slice(0, equals)] = word.slice(equals + 1);
    else plain.push(word);
  }
  return { plain, settings };
}

function listOf(word: string | undefined): string[] {
  return (word ?? '').split(',').filter((part) => part !== '');
}

function lists(settings: Readonly<Record<string, string>>, ...keys: string[]): Settings {
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [key, keys.includes(key) ? listOf(value) : value]),
  );
}

/** `key` as a number, where it is one. */
function numbered(settings: Settings, key: string): Settings {
  const value = settings[key];
  return typeof value === 'string' && /^\d+(\.\d+)?$/.test(value)
    ? { ...settings, [key]: Number(value) }
    : settings;
}

type Issue = NonNullable<ReturnType<typeof timelineEntrySchema.safeParse>['error']>['issues'][number];

/** The mapping's branch of a union is the one that words are turned into. */
function innermost(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  const branch = issue.errors.find((inner) => inner.length > 0 && inner.some((leaf) => leaf.path.length > 0));
  const leaf = (branch ?? [])[0];
  return leaf === undefined ? issue : innermost({ ...leaf, path: [...issue.path, ...leaf.path] } as Issue);
}

function wrong(text: string, why: string): FlowfateError {
  return new FlowfateError('usage', `--event "${text}": ${why}`);
}
