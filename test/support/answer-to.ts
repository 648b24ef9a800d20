import { once } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";

/**
 * Rejects with what kept it from coming. What happens after its head is for its reader: a connection that is closed while a
 * body is still being sent, as it is by who refuses that, would else end the process by an error of the request.
 */
export async function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  request.on("error", () => {});
  const [answer] = (await once(request, "response")) as [IncomingMessage];
  return answer;
}
