import ChangeNotification
import XenstoreProtocol

/// The connection to the store, and the watches on it.
extension Filesystem {
    /// The token of the watch that keeps names, shapes and permissions true.
    public var watchToken: [UInt8] { Self.watchToken }

    /// A connection is there: sets the watch and forgets all that was known without it.
    public func connected() async {
        changes.isWatching = false
        notifier.isActive = false
        watches.connected()
        do throws(XenstoreError) {
            try await watches.set(options.subtree)
            changes.isWatching = true
            notifier.isActive = environment.inject != nil
        } catch {
            // Without it nothing is kept, and every name is asked for.
            environment.report("the store refused a watch of \(options.subtree): \(error)")
        }
        await watchDomains()
        dropEverything()
        await streams.watchSpecialPathsAgain()
        streams.missed()
    }

    /// Sets the watch for what the store does without an event when a domain goes.
    private func watchDomains() async {
        do throws(XenstoreError) {
            try await watches.set(.releaseDomain)
        } catch {
            // To a guest the store may refuse it.
            guard options.isPrivileged else { return }
            let path = XenstorePath.releaseDomain
            environment.report("the store refused a watch of \(path): \(error)")
        }
    }

    /// The connection is lost: nothing is known until it is back.
    public func disconnected() {
        changes.isWatching = false
        notifier.disconnected()
        timestamps.disconnected()
        // No event will take it back.
        for node in keys.subtree(of: keys.root) { kernelCache.revoke(node) }
    }

    /// Nothing that was known holds. The kernel looks files up again; directories are asked for, as
    /// one that still is one may be somebody's working directory.
    private func dropEverything() {
        changes.append(.root)
        perform(notifier.anythingChanged())
        var shownDirectories: [KeyNode] = []
        for node in keys.subtree(of: keys.root) {
            node.dropStat()
            kernelCache.revoke(node)
            if node.reportedKind == .directory {
                shownDirectories.append(node)
            } else if node.fileLookups > 0 {
                kernelCache.invalidateEntry(of: node, .reconnected)
            }
        }
        verifyInTurn(shownDirectories)
    }
}
