import XenstoreProtocol

/// The watches that the connection to the store has, all with one token: that of what is mounted,
/// and those of special paths.
final class StoreWatches<Access: XenstoreAccess> {
    let token: [UInt8]
    private let access: Access
    private var paths: Set<XenstorePath> = []
    /// Watches whose first event is to come, which tells of no change.
    private var firstEvents: Set<XenstorePath> = []

    init(over access: Access, token: [UInt8]) {
        self.access = access
        self.token = token
    }

    /// There is a connection, which has none yet.
    func connected() {
        paths = []
        firstEvents = []
    }

    /// Sets a watch, once a connection.
    func set(_ path: XenstorePath) async throws(XenstoreError) {
        guard paths.insert(path).inserted else { return }
        firstEvents.insert(path)
        do throws(XenstoreError) {
            if path == .releaseDomain, try await setWithDomains(path) { return }
            _ = try await access.send(.watch(path, token: token), in: .none)
        } catch {
            firstEvents.remove(path)
            paths.remove(path)
            throw error
        }
    }

    /// Sets a watch of a special path with a depth of one: its events name the domain, as in
    /// `@releaseDomain/5`.
    ///
    /// - Returns: false where the store knows no depth.
    private func setWithDomains(_ path: XenstorePath) async throws(XenstoreError) -> Bool {
        do throws(XenstoreError) {
            _ = try await access.send(.watch(path, token: token, depth: 1), in: .none)
            return true
        } catch .refused {
            // Without the depth it says why, if that is not what it refuses.
            return false
        }
    }

    /// Whether an event is the first of its watch.
    func takeFirst(_ path: XenstorePath) -> Bool { firstEvents.remove(path) != nil }
}
