/** The page: it shows the newest picture of the mesh that has come, and says when none comes any more. */

import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { MeshView } from "../mesh-view.ts";
import { Certificates } from "./certificates.tsx";
import { Edges } from "./edges.tsx";
import { Policies } from "./policies.tsx";
import { Splits } from "./splits.tsx";
import { Summary } from "./summary.tsx";
import { Topology } from "./topology.tsx";

type Connection = "connecting" | "live" | "lost";

function useMesh(): { readonly view: MeshView | undefined; readonly connection: Connection } {
  const [view, setView] = useState<MeshView | undefined>(undefined);
  const [connection, setConnection] = useState<Connection>("connecting");
  useEffect(() => {
    // It comes back by itself when the control plane does.
    const events = new EventSource("/api/events");
    events.onopen = () => setConnection("live");
    events.onerror = () => setConnection("lost");
    events.onmessage = ({ data }) => setView(JSON.parse(String(data)) as MeshView);
    return () => events.close();
  }, []);
  return { view, connection };
}

function App() {
  const { view, connection } = useMesh();
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
          <a href="#certificates">Certificates</a>
        </nav>
        <p class={`connection ${connection}`} role="status">
          {connectionWords[connection]}
        </p>
      </header>
      <main id="main" tabIndex={-1}>
        {view === undefined ? <p class="empty">Waiting for the control plane…</p> : <Mesh view={view} />}
      </main>
    </>
  );
}

const connectionWords: Readonly<Record<Connection, string>> = {
  connecting: "connecting",
  live: "live",
  lost: "control plane not reached; the picture is old",
};

function Mesh({ view }: { readonly view: MeshView }) {
  return (
    <>
      <Summary view={view} />
      <Topology edges={view.edges} breakers={view.breakers} />
      <Edges edges={view.edges} latencies={view.latencies} breakers={view.breakers} />
      <Splits splits={view.splits} />
      <Policies policies={view.policies} problems={view.problems} />
      <Certificates sidecars={view.sidecars} />
    </>
  );
}

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
