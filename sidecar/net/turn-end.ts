/**
 * What is done at the end of a turn of the event loop, when all sockets that were readable in it have been read. One immediate
 * for all who ask: to set one up costs Node as much as the rest of a small request.
 */

let calls: (() => void)[] = [];
/** Empty: takes the place of `calls` while those in it are called. */
let spare: (() => void)[] = [];

/**
 * Calls back once, in the order of asking. What is asked for by then is for the end of the next turn. No call throws: nobody is
 * there to catch it, so that it ends the process, and whatever else was due in this turn with it.
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
