import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";

let api: ClusterApi;
beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
});
afterAll(() => api.close());

describe("the API server", () => {
  it("answers in JSON", async () => {
    const { status, body } = await api.request({ path: "/api/v1/namespaces/default" });
    expect(status).toBe(200);
    expect(body).toMatchObject({ kind: "Namespace", metadata: { name: "default" } });
  });

  it("refuses in words, and that is a value", async () => {
    const { status, body } = await api.request({ path: "/api/v1/namespaces/default/pods/nobody" });
    expect(status).toBe(404);
    expect(body).toMatchObject({ kind: "Status", message: 'pods "nobody" not found' });
  });

  it("serves the chart's resource definitions", async () => {
    const { status } = await api.request({ path: "/apis/tulle.dev/v1alpha1/retrypolicies" });
    expect(status).toBe(200);
  });
});

describe("a watch", () => {
  const watched = { path: "/api/v1/namespaces", query: { allowWatchBookmarks: "true" } };

  it("hands on each event, and ends when it is aborted", async () => {
    const stopping = new AbortController();
    const names: string[] = [];
    const following = api.watch({
      ...watched,
      silenceMs: 10_000,
      signal: stopping.signal,
      onEvent: (event) => {
        names.push((event as { object: { metadata: { name: string } } }).object.metadata.name);
        if (names.includes("default")) stopping.abort(new Error("seen enough"));
      },
    });
    await expect(following).rejects.toThrow("aborted");
    expect(names).toContain("default");
  });

  it("that falls silent is given up", async () => {
    const query = { ...watched.query, fieldSelector: "metadata.name=none" };
    const signal = new AbortController().signal;
    const following = api.watch({ ...watched, query, silenceMs: 300, signal, onEvent: () => {} });
    await expect(following).rejects.toThrow("silent for 300 ms");
  });
});
