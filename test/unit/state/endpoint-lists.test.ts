import { expect, test } from 'vitest';
import { type Listed, PortLists } from '../../../src/state/endpoint-lists.js';

const listed = (pod: number, fields: Partial<Listed> = {}): Listed => ({
  pod,
  node: pod,
  ready: true,
  serving: true,
  terminating: false,
  zoneHints: [],
  nodeHints: [],
  ...fields,
});
const ending = { ready: false, terminating: true };

test('hints narrow the list where every ready endpoint has one and one is for the zone', () => {
  const a = listed(0, { zoneHints: ['a'] });
  const b = listed(1, { zoneHints: ['b'] });
  const whole = new PortLists([a, b]);
  expect(whole.cluster({ name: 'n', zone: 'a' })).toEqual([0]);
  expect(whole.cluster({ name: 'n', zone: 'c' })).toEqual([0, 1]);
  expect(whole.cluster({ name: 'n' })).toEqual([0, 1]);
  expect(new PortLists([a, listed(1)]).cluster({ name: 'n', zone: 'a' })).toEqual([0, 1]);
  // one that terminates needs no hint
  expect(new PortLists([a, b, listed(2, ending)]).cluster({ name: 'n', zone: 'b' })).toEqual([1]);
});

test('a hint for the node outweighs one for its zone', () => {
  const lists = new PortLists([
    listed(0, { zoneHints: ['a'], nodeHints: ['n1'] }),
    listed(1, { zoneHints: ['a'], nodeHints: ['n2'] }),
  ]);
  expect(lists.cluster({ name: 'n2', zone: 'a' })).toEqual([1]);
  expect(lists.cluster({ name: 'n3', zone: 'a' })).toEqual([0, 1]);
});

test('terminating endpoints that serve are taken where none is ready, for the cluster and a node apart', () => {
  const lists = new PortLists([listed(0, ending), listed(1)]);
  expect(lists.all).toEqual([1]);
  expect(lists.local(0)).toEqual([0]);
  expect(lists.local(1)).toEqual([1]);
  expect(new PortLists([listed(0, ending), listed(1, { ...ending, serving: false })]).all).toEqual([0]);
});
