/** Paths that mean `/admin` to somebody, and something else to somebody else. */

/** What every reader that decodes or resolves takes for `/admin`: the mesh's own normaliser as well. */
export const otherForms = [
  "/./admin",
  "/x/../admin",
  "//admin",
  "/%61dmin",
  "/%2e/admin",
  "/x/%2e%2E/admin",
  "/../admin",
];

/** What only some readers do. */
export const secondReadings = [
  "/x/..;/admin",
  "/admin;a=b",
  "/x%2f..%2Fadmin",
  "/x/%2e%2e%2fadmin",
  "/admin%2f",
  "/x%5c..%5Cadmin",
  "/admin%00",
  "/%00/admin",
  "/%c0%ae%c0%ae/admin",
  "/%e0%80%afadmin",
  "/%252e%252e/admin",
  "/%2561dmin",
  "/x/..%252fadmin",
  "/admin%",
  "/admin%zz",
];
