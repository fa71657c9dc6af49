import XenstoreProtocol

/// GET_QUOTA and SET_QUOTA.
extension Store {
    /// The names of the quotas; or the value of one, of all domains or of one.
    func quota(_ name: String?, of domain: DomainID?) throws(StoreErrorCode) -> [UInt8] {
        guard let name else {
            return Self.text(Quota.allCases.map(\.rawValue).joined(separator: " "))
        }
        guard let quota = Quota(rawValue: name) else { throw .invalid }
        let own = domain.flatMap { domains[$0].quotas[quota] }
        return Self.text(String(own ?? domains.quotas[quota] ?? 0))
    }

    func setQuota(
        _ name: String,
        to value: UInt32,
        of domain: DomainID?
    ) throws(StoreErrorCode) {
        guard let quota = Quota(rawValue: name) else { throw .invalid }
        if let domain {
            domains[domain].quotas[quota] = value
            noteDomain(domain)
        } else {
            domains.quotas[quota] = value
            note(.quota(quota, value))
        }
    }
}
