/// How often a listing in parts begins again because the key changed meanwhile.
private let maximumListingRestarts = 64

extension XenstoreAccess {
    /// The names of a key's children, however many. The corresponding operation is DIRECTORY, and
    /// DIRECTORY_PART where one message does not hold them all.
    ///
    /// - Throws: ``StoreErrorCode/again`` refused, if the key changes faster than its parts come.
    public func directory(
        _ path: XenstorePath,
        in transaction: TransactionID = .none
    ) async throws(XenstoreError) -> [String] {
        do throws(XenstoreError) {
            let payload = try await send(.directory(path), in: transaction)
            return try childNames(payload)
        } catch .refused(.tooBig) {
            return try await directoryByParts(path, in: transaction)
        }
    }

    /// Parses the list of a DIRECTORY reply.
    package func childNames(_ payload: [UInt8]) throws(XenstoreError) -> [String] {
        guard payload.isEmpty || payload.last == 0 else { throw .malformedReply }
        return try Self.names(payload.dropLast())
    }

    /// Lists by parts until the end, up to ``ProtocolLimits/oversizedListing`` bytes, and from the
    /// start again when the key's generation changes.
    package func directoryByParts(
        _ path: XenstorePath,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [String] {
        restart: for _ in 0..<maximumListingRestarts {
            var generation: ArraySlice<UInt8>?
            var list: [UInt8] = []
            while true {
                let request = Request.directoryPart(path, offset: list.count)
                let payload = try await send(request, in: transaction)
                guard let end = payload.firstIndex(of: 0) else { throw .malformedReply }
                let found = payload[..<end]
                // First of all: where the key has changed, the offset may be inside a name, and
                // oxenstored of xapi then sends a part that ends nowhere.
                guard generation == nil || generation == found else { continue restart }
                guard payload.last == 0 else { throw .malformedReply }
                generation = found
                let part = payload[(end + 1)...]
                // The list's end is an empty name: a NUL by itself, or after the last name's NUL.
                guard !part.isEmpty else { throw .malformedReply }
                // A store whose list has no end must not take all memory.
                guard list.count + part.count <= ProtocolLimits.oversizedListing else {
                    throw .malformedReply
                }
                if part.count == 1 || part[part.endIndex - 2] == 0 {
                    list.append(contentsOf: part.dropLast())
                    return try Self.names(list.dropLast())
                }
                list.append(contentsOf: part)
            }
        }
        throw .refused(.again)
    }

    /// Splits names at their NULs and refuses what cannot be a name: a hostile store must not
    /// make a user of the listing leave its directory.
    private static func names(_ list: ArraySlice<UInt8>) throws(XenstoreError) -> [String] {
        guard !list.isEmpty else { return [] }
        var names: [String] = []
        for name in list.split(separator: 0, omittingEmptySubsequences: false) {
            guard !name.isEmpty, name.allSatisfy(XenstorePath.isLegalInName) else {
                throw .malformedReply
            }
            names.append(String(decoding: name, as: UTF8.self))
        }
        return names
    }
}
