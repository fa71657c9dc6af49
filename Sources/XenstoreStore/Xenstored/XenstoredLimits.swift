import XenstoreProtocol

/// GET_FEATURE, SET_FEATURE, GET_QUOTA and SET_QUOTA.
final class XenstoredLimits {
    private let accounts: DomainAccounts

    init(_ state: StoreState) {
        accounts = state.accounts
    }

    func features(of domain: DomainID?, _ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        guard domain == nil || caller.isPrivileged else { throw .accessDenied }
        return Reply.text(String(accounts.features(of: domain ?? caller.domain)))
    }

    /// Sets what a domain that is yet to be introduced may use.
    func setFeatures(_ features: UInt32, of domain: DomainID) throws(StoreErrorCode) {
        guard !accounts[domain].isIntroduced else { throw .busy }
        guard features & ~ServerFeature.all == 0 else { throw .invalid }
        accounts.setFeatures(features, of: domain)
    }

    /// The names of the quotas; or the value of one, of all domains or of one.
    func quota(_ name: String?, of domain: DomainID?) throws(StoreErrorCode) -> [UInt8] {
        guard let name else {
            return Reply.text(Quota.allCases.map(\.rawValue).joined(separator: " "))
        }
        guard let quota = Quota(rawValue: name) else { throw .invalid }
        let own = domain.flatMap { accounts[$0].quotas[quota] }
        return Reply.text(String(own ?? accounts.quota(quota) ?? 0))
    }

    func setQuota(
        _ name: String,
        to value: UInt32,
        of domain: DomainID?
    ) throws(StoreErrorCode) {
        guard let quota = Quota(rawValue: name) else { throw .invalid }
        accounts.setQuota(quota, to: value, of: domain)
    }
}
