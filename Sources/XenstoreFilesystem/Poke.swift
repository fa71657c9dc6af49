import XenstoreProtocol

/// A system call on the mount by a process that is there for it: with it the kernel tells those who
/// watch a file what another client has done. The call is answered from memory and changes nothing.
public struct Poke: Hashable, Sendable {
    /// Which call it is.
    public enum Kind: Hashable, Sendable {
        case create
        case makeDirectory
        case modify
        case changeAttributes
        case remove
        case removeDirectory
    }

    public var kind: Kind
    /// The path on the mount, without a slash at its beginning.
    public var path: String
}

/// A poke that has not been made yet, and what its calls are answered with.
final class PendingPoke {
    let kind: Poke.Kind
    let directory: KeyNode
    /// Empty for the root of the mount itself.
    let name: String
    /// What it is that the name leads to: the directory's own value for `.value`.
    let isOwnValue: Bool
    let view: View
    /// The number of changes when the store was asked what has happened.
    let serial: Int
    private(set) var permissions: Permissions
    private(set) var size: Int
    /// Whether a file goes where a directory comes, or the other way round: the key is there.
    var isReshaping = false
    /// The names of the children that a directory is made with, each followed by a zero.
    var childNames: [UInt8]?
    /// Whether the key was seen since it was found to be gone: it was made again, and must not be
    /// removed.
    var isMadeAgain = false
    /// Whether the poker has looked it up: the kernel asks for the name each time that it is used.
    var isLookedUp = false
    /// Whether the call that matters has come.
    var isDone = false
    /// Whether it was sent to a process that died.
    var wasSent = false
    /// Whether what it tells has happened; nil while the store is still asked.
    private(set) var isTrue: Bool? = true
    private var waiters: [CheckedContinuation<Bool, Never>] = []

    init(
        _ kind: Poke.Kind,
        _ name: String,
        in directory: KeyNode,
        _ view: View,
        _ permissions: Permissions,
        size: Int,
        asOf serial: Int
    ) {
        self.kind = kind
        self.directory = directory
        self.name = name
        self.view = view
        self.permissions = permissions
        self.size = size
        self.serial = serial
        isOwnValue = name == NameMeaning.ownValueName
    }

    /// That the content of a file has changed, as most changes do, before the store has said so:
    /// the poker is on its way when the answer comes. It waits for ``confirm(_:size:)`` or
    /// ``deny()``.
    init(foretelling name: String, in directory: KeyNode, asOf serial: Int) {
        kind = .modify
        self.directory = directory
        self.name = name
        view = .file
        permissions = Permissions(owner: .privileged)
        size = 0
        self.serial = serial
        isOwnValue = false
        isTrue = nil
    }

    /// The content of a file has changed as foretold.
    func confirm(_ permissions: Permissions, size: Int) {
        self.permissions = permissions
        self.size = size
        decide(true)
    }

    /// Something else has happened than what was foretold, or it is not known in time.
    func deny() {
        settle(false)
    }

    /// The store is asked once more whether it has happened.
    func askAgain() {
        isTrue = nil
    }

    /// The store has said whether it has happened.
    func settle(_ isTrue: Bool) {
        if self.isTrue == nil { decide(isTrue) }
    }

    /// Whether what it tells has happened, as soon as that is known.
    func hasHappened() async -> Bool {
        if let isTrue { return isTrue }
        return await withCheckedContinuation { waiters.append($0) }
    }

    private func decide(_ isTrue: Bool) {
        self.isTrue = isTrue
        let waiters = self.waiters
        self.waiters = []
        for waiter in waiters { waiter.resume(returning: isTrue) }
    }

    var isRemoval: Bool { kind == .remove || kind == .removeDirectory }

    var place: Place { Place(directory: directory.id, name: name) }
}

/// The pokes that are to be made, in their order; one batch of them is at the poker at a time.
struct PokeQueue {
    private var waiting: [PendingPoke] = []
    /// Whether there is a poker.
    private var isReady = false
    /// How many calls it was given.
    private(set) var sentCount = 0
    var waitingCount: Int { waiting.count }
    /// Those at the poker.
    private(set) var sent: [PendingPoke] = []

    /// Removals that wait or are at the poker.
    private var removals: [Place: [PendingPoke]] = [:]

    var hasRemovals: Bool { !removals.isEmpty }

    /// A key is there.
    func noteSeen(_ place: Place) {
        for poke in removals[place] ?? [] { poke.isMadeAgain = true }
    }

    /// Adds a poke, unless it waits already and nothing else has happened to its name since.
    ///
    /// - Returns: false where ``FilesystemLimits/pendingPokes`` wait: it is lost.
    mutating func add(_ poke: PendingPoke) -> Bool {
        if poke.kind == .modify || poke.kind == .changeAttributes {
            // Near the end, or not at all: older ones may be told once more.
            for other in waiting.suffix(8).reversed()
            where other.directory === poke.directory && other.name == poke.name {
                guard other.kind == poke.kind else { break }
                return true
            }
        }
        guard waiting.count < FilesystemLimits.pendingPokes else { return false }
        waiting.append(poke)
        if poke.isRemoval { removals[poke.place, default: []].append(poke) }
        return true
    }

    /// Whether a poke that was added now would be sent at once.
    var isIdle: Bool { isReady && sent.isEmpty && waiting.isEmpty }

    /// The poke at the poker that foretells what is not known yet.
    func findForetold(_ place: Place) -> PendingPoke? {
        sent.first { $0.kind == .modify && $0.isTrue == nil && $0.place == place }
    }

    /// What was foretold has not come true so far, and nobody is to wait any longer.
    func denyForetold() {
        for poke in sent where poke.kind == .modify { poke.deny() }
    }

    /// The next batch, if the poker has nothing to do.
    mutating func takeBatch() -> [PendingPoke] {
        guard isReady, sent.isEmpty, !waiting.isEmpty else { return [] }
        sent = Array(waiting.prefix(FilesystemLimits.pokeBatch))
        waiting.removeFirst(sent.count)
        sentCount += sent.count
        return sent
    }

    /// The poker has made all of its batch.
    mutating func done() {
        denyForetold()
        for poke in sent where poke.isRemoval {
            removals[poke.place]?.removeAll { $0 === poke }
            if removals[poke.place]?.isEmpty == true { removals[poke.place] = nil }
        }
        sent = []
    }

    /// There is a poker, or another one: what was not made yet is sent again, but only once.
    mutating func started() {
        isReady = true
        denyForetold()
        let again = sent.filter { !$0.isDone && !$0.wasSent && $0.isTrue == true }
        for poke in again { poke.wasSent = true }
        sent.removeAll { poke in again.contains { $0 === poke } }
        done()
        waiting = again + waiting
    }

    /// There is no poker any more.
    mutating func ended() {
        denyForetold()
        let sentCount = sentCount
        self = PokeQueue()
        self.sentCount = sentCount
    }

    /// The poke at the poker that a call on this name belongs to.
    func find(_ name: String, in directory: KeyNode) -> PendingPoke? {
        sent.first { !$0.isDone && $0.name == name && $0.directory === directory }
    }

    /// The poke at the poker that a call on this key belongs to.
    func find(_ node: KeyNode, _ view: View) -> PendingPoke? {
        sent.first { poke in
            guard !poke.isDone, poke.view == view else { return false }
            guard !poke.name.isEmpty else { return node.isRoot }
            return poke.isOwnValue
                ? poke.directory === node
                : poke.directory === node.parent && poke.name == node.name
        }
    }
}
