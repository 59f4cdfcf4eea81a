const ADDRESS = /^[\d.]+$|:/;

/**
 * The domain that all of these hosts are in, like `.example.org`; empty if they have none in common.
 * Addresses do not count, nor do hosts that are unknown. The first part of a name is never in it.
 */
export function commonDomain(hosts: Iterable<string | null>): string {
  let common: string[] | undefined;
  for (const host of hosts) {
    if (host === null || ADDRESS.test(host)) continue;
    const domain = host.split(".").slice(1);
    if (common === undefined) common = domain;
    while (common.length > 0 && !isEnd(domain, common)) common = common.slice(1);
  }
  return common === undefined || common.length === 0 ? "" : `.${common.join(".")}`;
}

/** A host without a domain. */
export function shortHost(host: string, domain: string): string {
  return domain !== "" && host.endsWith(domain) ? host.slice(0, -domain.length) : host;
}

function isEnd(parts: readonly string[], end: readonly string[]): boolean {
  const skipped = parts.length - end.length;
  return skipped >= 0 && end.every((part, place) => part === parts[skipped + place]);
}
