/** What went wrong, with the server's own words for it: it writes them in the language that it was asked in. */
import { NETWORK, type Problem, toProblem } from '../lib/problem.js';

export interface Trouble extends Problem {
  /** A sentence for people; empty when no answer came. */
  detail: string;
  /** What is wrong with what, as the server names it. */
  faults: readonly { location: string; message: string }[];
}

export const NO_ANSWER: Trouble = { ...NETWORK, detail: '', faults: [] };

/** The file itself cannot be read any more. */
export const NO_FILE: Trouble = { ...NO_ANSWER, code: 'file-unreadable' };

export function toTrouble(status: number, body: unknown): Trouble {
  const trouble: Trouble = { ...toProblem(status, body), detail: '', faults: [] };
  if (typeof body !== 'object' || body === null) return trouble;
  const b = body as Record<string, unknown>;
  if (typeof b['detail'] === 'string') trouble.detail = b['detail'];
  if (Array.isArray(b['errors'])) {
    trouble.faults = b['errors'].map((e: Record<string, unknown>) => ({
      location: typeof e?.['location'] === 'string' ? e['location'] : '',
      message: typeof e?.['message'] === 'string' ? e['message'] : '',
    }));
  }
  return trouble;
}

/** The problem in the body of an answer that is not read yet, e.g. tus's. */
export function parseTrouble(status: number, text: string): Trouble {
  if (status === 0) return NO_ANSWER;
  try {
    return toTrouble(status, JSON.parse(text));
  } catch {
    return toTrouble(status, null);
  }
}
