import XenstoreProtocol

/// The most of each quota that any unprivileged domain has taken at a time.
struct HighestUsage {
    private var values: [Quota: Int] = [:]

    subscript(quota: Quota) -> Int { values[quota] ?? 0 }

    mutating func note(_ quota: Quota, _ value: Int, of domain: DomainID) {
        guard domain != .privileged, value > self[quota] else { return }
        values[quota] = value
    }
}
