/** The page: it shows the newest view of the mesh that has arrived, and says when no more arrive. */

import { render } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import type { MeshView } from "../mesh-view.ts";
import { Calls } from "./calls.tsx";
import { Certificates } from "./certificates.tsx";
import { Policies } from "./policies.tsx";
import { Policy } from "./policy.tsx";
import { Service } from "./service.tsx";
import { Splits } from "./splits.tsx";
import { Summary } from "./summary.tsx";
import { Trace } from "./trace.tsx";
import { Traces } from "./traces.tsx";

type Connection = "connecting" | "live" | "lost";

function useMesh(): { readonly view: MeshView | undefined; readonly connection: Connection } {
  const [view, setView] = useState<MeshView | undefined>(undefined);
  const [connection, setConnection] = useState<Connection>("connecting");
  useEffect(() => {
    // It reconnects by itself when the control plane is back.
    const events = new EventSource("/api/events");
    events.onopen = () => setConnection("live");
    events.onerror = () => setConnection("lost");
    events.onmessage = ({ data }) => setView(JSON.parse(String(data)) as MeshView);
    return () => events.close();
  }, []);
  return { view, connection };
}

/** The part that the address asks for: `#/service/shop/web`, or a part of the overview, `#edges`. */
function useHash(): string {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = (): void => setHash(location.hash);
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  // The browser looked for the part before it was drawn. When the new page is visible, focus and title must be there too.
  useLayoutEffect(() => {
    document.title = titleOf(hash);
    if (hash.startsWith("#/")) {
      scrollTo({ top: 0, behavior: "instant" });
      // The link that was followed is gone: users of a keyboard or a screen reader continue at its target.
      document.getElementById("main")?.focus({ preventScroll: true });
    } else if (hash !== "") document.getElementById(hash.slice(1))?.scrollIntoView();
  }, [hash]);
  return hash;
}

/** `shop/web – Tulle`: distinguishes tabs and bookmarks. */
function titleOf(hash: string): string {
  const [, name] = /^#\/\w+\/(.+)$/.exec(hash) ?? [];
  return name === undefined ? "Tulle" : `${name} – Tulle`;
}

function App() {
  const { view, connection } = useMesh();
  const hash = useHash();
  return (
    <>
      <a class="skip" href="#main">
        Skip to the mesh
      </a>
      <header>
        <h1>Tulle</h1>
        <nav aria-label="Parts of this page">
          <a href="#topology">Topology</a>
          <a href="#edges">Edges</a>
          <a href="#splits">Splits</a>
          <a href="#policies">Policies</a>
          <a href="#traces">Traces</a>
          <a href="#certificates">Certificates</a>
        </nav>
        <p class={`connection ${connection}`} role="status">
          {connectionWords[connection]}
        </p>
      </header>
      <main id="main" tabIndex={-1}>
        {view === undefined ? <p class="empty">Waiting for the control plane…</p> : <Mesh view={view} hash={hash} />}
      </main>
    </>
  );
}

const connectionWords: Readonly<Record<Connection, string>> = {
  connecting: "connecting",
  live: "live",
  lost: "control plane not reached; the picture is old",
};

function Mesh({ view, hash }: { readonly view: MeshView; readonly hash: string }) {
  const [, part, name = ""] = /^#\/(\w+)\/(.+)$/.exec(hash) ?? [];
  if (part === "service") return <Service key={name} view={view} name={name} />;
  if (part === "policy") return <Policy key={name} view={view} name={name} />;
  if (part === "trace") {
    return <Trace key={name} id={name} spanCount={view.traces.find(({ id }) => id === name)?.spans} />;
  }
  return (
    <>
      <Summary view={view} />
      <Calls edges={view.edges} latencies={view.latencies} breakers={view.breakers} />
      <Splits splits={view.splits} />
      <Policies policies={view.policies} problems={view.problems} />
      <Traces traces={view.traces} lost={view.lost} />
      <Certificates sidecars={view.sidecars} />
    </>
  );
}

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
