/**
 * Runs calls at the end of a turn of the event loop, when all sockets that were readable in it have been read. One immediate
 * serves all callers: setting one up costs Node as much as the rest of a small request.
 */

let calls: (() => void)[] = [];
/** Empty: takes the place of `calls` while those in it are called. */
let spare: (() => void)[] = [];

/**
 * Calls back once, in the order of registration. Calls registered during that run at the end of the next turn. No call may
 * throw: nobody catches it, so it would end the process and skip the other calls of this turn.
 */
export function atTurnEnd(call: () => void): void {
  if (calls.push(call) === 1) setImmediate(endTurn);
}

function endTurn(): void {
  const due = calls;
  calls = spare;
  for (const call of due) call();
  while (due.length > 0) due.pop(); // setting `length` is a call into V8's runtime
  spare = due;
}
