import ChangeNotification
import XenstoreProtocol

/// What goes with a domain.
///
/// oxenstored of every version, C xenstored from 4.22 on and our own store take a domain that is
/// gone out of all permissions, and oxenstored removes the keys that it owned, too. None sends an
/// event of that. They do it before they send `@releaseDomain`, so that what is asked after that
/// event is true.
extension Filesystem {
    /// A key that is known, with the permissions that were seen last.
    private typealias KnownKey = (node: KeyNode, permissions: Permissions?)

    /// Takes the event of a special path.
    ///
    /// Permissions are forgotten at once, as `cache=strict` answers from them. Where the event does
    /// not name the domain, all else waits until the store has said which domains are gone: there
    /// may be thousands of keys of the others.
    func changedSpecial(_ path: XenstorePath) {
        guard XenstorePath.releaseDomain.contains(path) else { return streams.changed(path) }
        changes.append(.root)
        // Those above come first.
        let known = keys.subtree(of: keys.root).map { KnownKey($0, $0.seenPermissions) }
        let name = path.components.dropFirst().first
        if let domain = name.flatMap({ DomainID(decimal: $0.utf8) }) {
            return released([domain], known)
        }
        let guests = forgetPermissionsOfGuests(known)
        guard !guests.isEmpty else { return tellStreamsWhenTrue(.releaseDomain) }
        environment.start { [self] in released(await gone(of: guests), known) }
    }

    /// Forgets permissions that name other domains than 0.
    ///
    /// - Returns: those domains.
    private func forgetPermissionsOfGuests(_ known: [KnownKey]) -> Set<DomainID> {
        var guests: Set<DomainID> = []
        for (node, permissions) in known {
            var isOfGuest = false
            permissions?.forEachDomain { domain in
                guard domain != .privileged else { return }
                isOfGuest = true
                guests.insert(domain)
            }
            if isOfGuest { node.permissions = nil }
        }
        return guests
    }

    /// Which of some domains the store does not have. It does not answer a guest: then any may be
    /// gone.
    private func gone(of domains: Set<DomainID>) async -> Set<DomainID> {
        let domains = domains.filter(\.isPossible)
        let questions = domains.map { Request.isDomainIntroduced($0) }
        let answers = await reader.access.send(questions, in: .none)
        return Set(zip(domains, answers).filter { !$1.isTrue }.map(\.0))
    }

    /// Who hears that domains are gone, in the order of ``changed(_:)``.
    private func released(_ gone: Set<DomainID>, _ known: [KnownKey]) {
        var named: [KeyNode] = []
        var mayBeGone: [KeyNode] = []
        var isGone: Set<UInt64> = []
        for (node, permissions) in known {
            let isBelow = node.parent.map { isGone.contains($0.id) } ?? false
            let isOwned = permissions.map { gone.contains($0.owner) }
            if isBelow || isOwned == true { isGone.insert(node.id) }
            if isBelow || permissions?.names(gone) == true { named.append(node) }
            // Of a key that was listed alone nobody knows who owned it.
            if isBelow || isOwned != false { mayBeGone.append(node) }
        }
        let directories = mayBeGone.distinctParents
        for node in named + mayBeGone + directories {
            node.dropStat()
            kernelCache.revoke(node, .released)
        }
        lookAgain(at: mayBeGone.filter { $0.reportedKind != .directory }, .released)
        verifyInTurn((mayBeGone + directories).filter { $0.reportedKind == .directory })
        perform(notifier.mayHaveChanged(named + directories))
        tellStreamsWhenTrue(.releaseDomain)
    }

    /// Has the kernel look files up again. Where inotify's events are raised, those that are gone
    /// are found anyway.
    private func lookAgain(at files: [KeyNode], _ reason: InvalidationReason) {
        guard !notifier.isActive else { return }
        for node in files where node.fileLookups > 0 {
            kernelCache.invalidateEntry(of: node, reason)
        }
    }
}

extension Permissions {
    fileprivate func forEachDomain(_ body: (DomainID) -> Void) {
        body(owner)
        for entry in entries { body(entry.domain) }
    }

    fileprivate func names(_ domains: Set<DomainID>) -> Bool {
        domains.contains(owner) || entries.contains { domains.contains($0.domain) }
    }
}

extension Result<[UInt8], XenstoreError> {
    /// Whether the answer to IS_DOMAIN_INTRODUCED is yes.
    fileprivate var isTrue: Bool { (try? get())?.first == UInt8(ascii: "T") }
}

extension [KeyNode] {
    /// The directories that have these keys, each once.
    fileprivate var distinctParents: [KeyNode] {
        var seen: Set<UInt64> = []
        return compactMap(\.parent).filter { seen.insert($0.id).inserted }
    }
}
