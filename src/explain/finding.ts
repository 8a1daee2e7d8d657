/** The findings of a post-mortem, one table for every format, and what a diagnosis is made of. */

/** In the contract's order: those up to `application-reset`, and `cannot-tell`, are not counted as broken. */
export const FINDINGS = {
  ordinary: 'went on or ended in order',
  'health-check': 'a monitor looked whether the port answers',
  'client-abort': 'the client gave up and reset it',
  'application-reset': 'the server, which knew the connection, reset it',
  'late-use': 'the server had closed it before the client used it again',
  'idle-timeout': 'something on the way forgot it while it was idle',
  middlebox: 'somebody nearer or farther than the server answered',
  'endpoint-died': 'everything that its server held ended at one moment',
  'endpoint-stopped': 'its server was stopped and closed all its connections',
  'port-scan': 'one of many ports or hosts that one source tried',
  rehash: 'its packets were sent to another next hop, which did not know it',
  'unknown-connection': 'reset by a stack that did not know it; why is open',
  refused: 'nobody listens there',
  'unanswered-syn': 'nobody answered the SYN',
  'unanswered-data': 'data was never answered',
  'unanswered-fin': 'the closing FIN was never acknowledged',
  'pmtu-black-hole': 'full-size packets are lost on the way, small ones arrive',
  'cannot-tell': 'the capture does not show enough of it',
} as const;

export type FindingName = keyof typeof FINDINGS;
export const FINDING_NAMES = Object.keys(FINDINGS) as FindingName[];

export type Confidence = 'certain' | 'likely' | 'possible';

const NOT_BROKEN: ReadonlySet<FindingName> = new Set<FindingName>([
  'ordinary',
  'health-check',
  'client-abort',
  'application-reset',
  'cannot-tell',
]);

/** Whether a connection with this finding counts as broken. */
export function isBroken(finding: FindingName): boolean {
  return !NOT_BROKEN.has(finding);
}

export interface Diagnosis {
  readonly finding: FindingName;
  readonly confidence: Confidence;
  /** what else it may have been, likeliest first */
  readonly alternatives: readonly FindingName[];
  /** what speaks for the finding, a sentence a sign; read it before the connection's view moves on */
  readonly evidence: readonly string[];
  /** what speaks against it, or for an alternative */
  readonly against: readonly string[];
  /** nanoseconds since the capture's first record: the reset, the first unanswered transmission, or the end */
  readonly atNs: number;
}

/** A hypothesis about one connection: how well it explains what was seen, 0 = not at all, 100 = proof. */
export interface Hypothesis {
  readonly finding: FindingName;
  readonly score: number;
  /** sentences, or what makes them: most are never read */
  readonly evidence: readonly string[] | (() => readonly string[]);
  readonly against?: readonly string[];
}

/** From this score on a hypothesis is certain, or likely; below, possible. */
const CERTAIN = 90;
const LIKELY = 60;
/** A hypothesis with less is no alternative. */
const WORTH_NAMING = 15;
/** A rival this close takes one step from the winner's confidence. */
const CLOSE = 15;

/** The best of the hypotheses; the rest become its alternatives. Equal scores: the earlier one wins. */
export function concludeFrom(hypotheses: readonly Hypothesis[], atNs: number): Diagnosis {
  // sorting is stable: of equal scores the earlier one stays first
  const [best, ...rest] = hypotheses.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score);
  if (best === undefined) {
    return {
      finding: 'cannot-tell',
      confidence: 'possible',
      alternatives: [],
      evidence: [],
      against: [],
      atNs,
    };
  }
  const rivals = rest.filter(({ finding }, i) => {
    return finding !== best.finding && rest.findIndex((other) => other.finding === finding) === i;
  });
  const close = rivals.some(({ score }) => best.score - score < CLOSE);
  const full: Confidence = best.score >= CERTAIN ? 'certain' : best.score >= LIKELY ? 'likely' : 'possible';
  const confidence: Confidence = !close ? full : full === 'certain' ? 'likely' : 'possible';
  return {
    finding: best.finding,
    confidence,
    alternatives: rivals.filter(({ score }) => score >= WORTH_NAMING).map(({ finding }) => finding),
    get evidence() {
      return typeof best.evidence === 'function' ? best.evidence() : best.evidence;
    },
    against: best.against ?? [],
    atNs,
  };
}
