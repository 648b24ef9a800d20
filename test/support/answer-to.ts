import { once } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";

/**
 * Resolves with the answer, and rejects with the error that prevented it. Errors after the answer's head are for its reader: a
 * connection that is closed while a body is still being sent, as a server does that refuses the body, would otherwise end the
 * process through an error of the request.
 */
export async function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  request.on("error", () => {});
  const [answer] = (await once(request, "response")) as [IncomingMessage];
  return answer;
}
