import type { Target } from "./target.ts";
import { hpack } from "./targets/hpack.ts";
import { http1Request } from "./targets/http1-request.ts";
import { http1Response } from "./targets/http1-response.ts";
import { http2Client } from "./targets/http2-client.ts";
import { http2Frames } from "./targets/http2-frames.ts";

/** All that is fuzzed. */
export const targets: readonly Target[] = [http1Request, http1Response, hpack, http2Frames, http2Client];
