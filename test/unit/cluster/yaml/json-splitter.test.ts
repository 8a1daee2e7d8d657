import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DocumentReader } from '../../../../src/cluster/yaml/document-reader.js';
import { JsonSplitter } from '../../../../src/cluster/yaml/json-splitter.js';
import { Problems } from '../../../../src/cluster/yaml/problems.js';

interface Cut {
  items: unknown[];
  lists: unknown[];
  faults: string[];
  places: string[];
}

/** Cuts `text`, handed over in chunks of at most `size` octets. */
function cut(text: string, size = 1 << 20): Cut {
  const found: Cut = { items: [], lists: [], faults: [], places: [] };
  const splitter = new JsonSplitter({
    item: ({ text: piece, line, column }) => {
      found.items.push(JSON.parse(piece));
      found.places.push(`${line}:${column}`);
    },
    list: ({ text: piece }) => found.lists.push(JSON.parse(piece)),
    fault: (sentence, line, column) => found.faults.push(`${line}:${column} ${sentence}`),
  });
  const octets = Buffer.from(text);
  for (let at = 0; at < octets.length; at += size) splitter.push(octets.subarray(at, at + size));
  splitter.end();
  return found;
}

const value = fc.jsonValue({ maxDepth: 4 });
const mapping = fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('items', 'kind', 'metadata')), value);

describe('JSON in a dump', () => {
  test('comes out value by value, wherever the chunks end', () => {
    fc.assert(
      fc.property(
        fc.array(value),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(0, 2),
        (values, size, indent) => {
          const text = JSON.stringify(values, null, indent);
          expect(cut(text, size).items).toEqual(JSON.parse(text));
        },
      ),
    );
  });

  test('one object after the other, or a line each, comes out as lists without items', () => {
    fc.assert(
      fc.property(
        fc.array(mapping),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom('', '\n', ' '),
        (objects, size, gap) => {
          const plain = objects.map((object) => ({ ...object, items: undefined }));
          const text = plain.map((object) => JSON.stringify(object)).join(gap);
          const { lists, items, faults } = cut(text, size);
          expect({ lists, items, faults }).toEqual({
            lists: plain.map((object) => JSON.parse(JSON.stringify(object))),
            items: [],
            faults: [],
          });
        },
      ),
    );
  });

  test('a list yields its items and then itself, in whatever order its keys stand', () => {
    const text = '{"apiVersion":"v1","items":[{"a":"]}"},{"b":{"items":[1]}}],"kind":"List"}';
    for (let size = 1; size < 20; size++) {
      const { items, lists } = cut(text, size);
      expect(items).toEqual([{ a: ']}' }, { b: { items: [1] } }]);
      expect(lists).toEqual([{ apiVersion: 'v1', items: [], kind: 'List' }]);
    }
  });

  test('each item knows its line and column', () => {
    expect(cut('[\n  {},\n\n    {}]').places).toEqual(['2:3', '4:5']);
  });

  test('logs between the values are passed over', () => {
    const log =
      '==== START logs for container a of pod b ====\n{"level": "info" [\n==== END logs for container a of pod b ====\n';
    for (let size = 1; size < 30; size++)
      expect(cut(`{"a":1}\n${log}{"b":2}\n`, size).lists).toEqual([{ a: 1 }, { b: 2 }]);
  });

  test('a value that never ends is a fault at its beginning', () => {
    expect(cut('\n {"items": [{"a": "x').faults).toEqual([
      '2:2 ends in the middle of an object: it was cut off',
    ]);
  });

  test('what is no value is a fault where it stands', () => {
    expect(cut('{"a":1}\nError from server').faults).toEqual([
      '2:1 this is not valid JSON: expected "{" or "["',
    ]);
  });
});

function read(text: string | Buffer) {
  const problems = new Problems();
  const reader = new DocumentReader('f', problems);
  reader.push(Buffer.from(text as string));
  const { documents, isEmpty } = reader.end();
  return {
    data: documents.map((document) => document.data),
    documents,
    isEmpty,
    fault: problems.firstSentence(),
  };
}

describe('a document of a file', () => {
  test('gets the kind of the typed list it stands in', () => {
    const { data } = read('{"items":[{"metadata":{"name":"n1"}}],"kind":"NodeList","apiVersion":"v1"}');
    expect(data).toEqual([{ metadata: { name: 'n1' }, kind: 'Node', apiVersion: 'v1' }]);
  });

  test('is whole where `items` is a field of its own', () => {
    const text = '{"kind":"Menu","apiVersion":"v1","items":[{"a":1},2]}';
    expect(read(text).data).toEqual([JSON.parse(text)]);
  });

  test('is the same in UTF-8 with a mark, in UTF-16 of both orders, with a mark or without', () => {
    for (const text of ['{"kind":"Node","apiVersion":"v1"}', 'kind: Node\napiVersion: v1\n']) {
      const want = [{ kind: 'Node', apiVersion: 'v1' }];
      const little = Buffer.from(text, 'utf16le');
      const big = Buffer.from(little).swap16();
      expect(read(`\ufeff${text}`).data).toEqual(want);
      expect(read(Buffer.from(`\ufeff${text}`, 'utf16le')).data).toEqual(want);
      expect(read(Buffer.from(`\ufeff${text}`, 'utf16le').swap16()).data).toEqual(want);
      expect(read(little).data).toEqual(want);
      expect(read(big).data).toEqual(want);
    }
  });

  test('of JSON says where each part of it stands', () => {
    const { documents } = read('[\n  {"a": {"b": [1, "x", {"c": 1.50}]},\n   "d": 2}]');
    const [document] = documents;
    expect(document!.positionOf(['a', 'b', 1])).toEqual({ file: 'f', line: 2, column: 19 });
    expect(document!.keyPositionOf(['d'])).toEqual({ file: 'f', line: 3, column: 4 });
    expect(document!.positionOf(['a', 'b', 7])).toEqual({ file: 'f', line: 2, column: 15 });
    expect(document!.sourceTextOf(['a', 'b', 2, 'c'])).toBe('1.50');
  });

  test('in YAML’s flow style is no JSON and is read all the same', () => {
    expect(read('{kind: Node, apiVersion: v1}').data).toEqual([{ kind: 'Node', apiVersion: 'v1' }]);
  });

  test('of damaged JSON is a fault that quotes nothing of it', () => {
    expect(read('{"kind": "Secret", "data": {"password": "hunter2" "x"}}').fault).toBe(
      'f:1:51: this is not valid JSON: a comma, bracket or quote is missing or in excess',
    );
  });

  test('is empty only where nothing stands', () => {
    expect(read('# nothing\n').isEmpty).toBe(true);
    expect(read('{"kind":"List","apiVersion":"v1","items":[]}').isEmpty).toBe(false);
  });
});
