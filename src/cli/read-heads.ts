/** The clients' requests in a capture, where a service has an L7 proxy that reads them. */
import type { ClusterModel } from '../cluster/model.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import type { RequestHeads } from '../verdict/request-heads.js';
import type { Io } from './io.js';
import { warn } from './read-input.js';

export async function readHeads(
  capture: string,
  index: CaptureIndex,
  model: Pick<ClusterModel, 'services' | 'nodes'>,
  io: Io,
): Promise<RequestHeads> {
  const { readRequestHeads, wantsRequestHeads } = await import('../verdict/request-heads.js');
  if (!wantsRequestHeads(model.services)) return new Map();
  if (capture !== '-') return readRequestHeads(capture, index, model);
  warn(io, 'requests are read in a second pass, which standard input has not: no header of a client is seen');
  return new Map();
}
