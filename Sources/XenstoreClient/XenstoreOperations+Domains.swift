public import XenstoreProtocol

// What is about domains and the server itself is never part of a transaction.
extension XenstoreOperations {
    /// Tells the store of a new domain, by the page and the event channel of its ring. The
    /// corresponding operation is INTRODUCE; domain 0 alone may ask it.
    ///
    /// - Parameters:
    ///   - domain: the new domain.
    ///   - frame: the guest frame number of the page.
    ///   - eventChannel: the port of the domain.
    public func introduce(
        _ domain: DomainID,
        frame: Int64,
        eventChannel: UInt32
    ) async throws(ClientError) {
        let request = Request.introduce(domain, frame: frame, eventChannel: eventChannel)
        _ = try await handle.perform(request)
    }

    /// Ends the store's connection to a domain. The corresponding operation is RELEASE.
    public func release(_ domain: DomainID) async throws(ClientError) {
        _ = try await handle.perform(.release(domain))
    }

    /// Tells the store that a domain that was suspended runs again. The corresponding operation is
    /// RESUME.
    public func resume(_ domain: DomainID) async throws(ClientError) {
        _ = try await handle.perform(.resume(domain))
    }

    /// Whether the store is connected to a domain. The corresponding operation is
    /// IS_DOMAIN_INTRODUCED.
    public func isIntroduced(_ domain: DomainID) async throws(ClientError) -> Bool {
        let request = Request.isDomainIntroduced(domain)
        switch try await handle.perform(request) {
        case Array("T\0".utf8): return true
        case Array("F\0".utf8): return false
        default: throw ClientError(request, .malformedReply)
        }
    }

    /// Gives a stub domain the rights of the domain that it works for. The corresponding operation
    /// is SET_TARGET.
    public func setTarget(of stub: DomainID, to target: DomainID) async throws(ClientError) {
        _ = try await handle.perform(.setTarget(stub, target: target))
    }

    /// The home of a domain, whether it exists or not. The corresponding operation is
    /// GET_DOMAIN_PATH.
    public func domainPath(of domain: DomainID) async throws(ClientError) -> XenstorePath {
        let request = Request.getDomainPath(domain)
        let payload = try await handle.perform(request)
        guard payload.last == 0, let path = try? XenstorePath(bytes: payload.dropLast()) else {
            throw ClientError(request, .malformedReply)
        }
        return path
    }

    /// The number of the domain that this program runs in: what its toolstack has put at `domid`
    /// in its home. Where there is none, a client of a daemon in the same domain is domain 0.
    public func ownDomain() async throws(ClientError) -> DomainID {
        do throws(ClientError) {
            return DomainID(try await readInteger("domid", as: UInt32.self))
        } catch {
            guard error.code == .noEntry, case .socket? = handle.client.address else { throw error }
            return .privileged
        }
    }

    /// Gives up all rights but those of a domain, for good. The corresponding operation is
    /// RESTRICT, which Xen's daemons do not have any more.
    ///
    /// - Throws: ``ClientError`` whose ``ClientError/isUnsupported`` is true, from most stores.
    public func restrict(to domain: DomainID) async throws(ClientError) {
        _ = try await handle.perform(.restrict(domain))
    }
}

extension XenstoreOperations {
    /// Gives the server itself a command, such as `help`, `check` or `memreport`. The corresponding
    /// operation is CONTROL, which was DEBUG.
    ///
    /// - Returns: what the server says, without the NUL at its end.
    public func control(_ arguments: [String]) async throws(ClientError) -> String {
        guard arguments.allSatisfy({ !$0.utf8.contains(0) }) else {
            throw ClientError(.control, .invalidArgument("an argument has a NUL in it"))
        }
        let payload = try await handle.perform(.control(arguments.map { Array($0.utf8) }))
        let text = payload.last == 0 ? payload.dropLast() : payload[...]
        return String(decoding: text, as: UTF8.self)
    }

    /// The features of the server; or those that a domain may see. The corresponding operation is
    /// GET_FEATURE, of Xen 4.21 and later.
    public func features(of domain: DomainID? = nil) async throws(ClientError) -> UInt32 {
        let request = Request.getFeature(domain)
        return try number(try await performPushed(request), request)
    }

    /// Sets the features that a domain may see, before it is introduced. The corresponding
    /// operation is SET_FEATURE.
    public func setFeatures(_ features: UInt32, of domain: DomainID) async throws(ClientError) {
        _ = try await handle.perform(.setFeature(domain, features: features))
    }

    /// The names of the server's quotas. The corresponding operation is GET_QUOTA.
    public func quotaNames() async throws(ClientError) -> [String] {
        let payload = try await performPushed(.getQuota(nil, name: nil))
        return String(decoding: payload.prefix { $0 != 0 }, as: UTF8.self)
            .split(separator: " ").map(String.init)
    }

    /// The value of a quota, of a domain or of all; 0 is none. The corresponding operation is
    /// GET_QUOTA.
    public func quota(
        _ name: String,
        of domain: DomainID? = nil
    ) async throws(ClientError) -> UInt32 {
        let request = Request.getQuota(domain, name: name)
        return try number(try await handle.perform(request), request)
    }

    /// Sets the value of a quota, of a domain or of all. The corresponding operation is SET_QUOTA.
    public func setQuota(
        _ name: String,
        of domain: DomainID? = nil,
        to value: UInt32
    ) async throws(ClientError) {
        _ = try await handle.perform(.setQuota(domain, name: name, value: value))
    }

    /// Performs a request that may have no payload, and another behind it: oxenstored takes an
    /// empty message only when the next bytes have come.
    private func performPushed(_ request: Request) async throws(ClientError) -> [UInt8] {
        let answers = await handle.perform([request, .getDomainPath(.privileged)])
        return try answers[0].get()
    }

    private func number(_ payload: [UInt8], _ request: Request) throws(ClientError) -> UInt32 {
        guard payload.last == 0, let number = UInt32(decimal: payload.dropLast()) else {
            throw ClientError(request, .malformedReply)
        }
        return number
    }
}
