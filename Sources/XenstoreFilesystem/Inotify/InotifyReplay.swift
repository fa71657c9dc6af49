import ChangeNotification
import Logging
import XenstoreProtocol

/// What the inotify agent's requests are answered with, and what it does.
public protocol InotifyReplayOperations: FilesystemOperations {
    /// The agent makes a call: what it was answered before, the kernel has taken note of.
    func agentHasCalled()
    /// The agent has made all calls of its batch.
    func agentIsDone()
    /// There is an agent, or another one.
    func agentHasStarted()
    /// There is no agent any more, and there will be none.
    func agentHasEnded()
}

/// The keys as the inotify agent sees them: it makes calls for what has happened already, and all
/// of them are answered from memory and change nothing. For anything else it is EBUSY.
final class InotifyReplay<Access: XenstoreAccess>: FixedFilesystem, InotifyReplayOperations {
    private unowned let store: Filesystem<Access>

    /// - Parameter store: what programs see of the same mount.
    init(of store: Filesystem<Access>) {
        self.store = store
    }

    private var keys: KeyTable { store.keys }
    private var notifier: ChangeNotifier<WatchedKeys> { store.notifier }
    private var kernelCache: KernelCache { store.kernelCache }
    private var environment: FilesystemEnvironment { store.environment }

    // MARK: Calls

    func lookup(
        _ name: String,
        in directory: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> Entry {
        let parent = try store.findDirectory(directory)
        if let call = notifier.call(for: name, in: parent) {
            // For any other error the kernel would drop the name.
            guard await hasHappened(call), await !wouldDetach(call) else { throw .interrupted }
            await settleOpenings(of: call)
            switch call.operation {
            case .create, .makeDirectory:
                guard let entry = try entryOfOther(call) else { throw .noEntry }
                return entry
            case .remove where call.isMadeAgain, .removeDirectory where call.isMadeAgain:
                // The kernel keeps the name that is in use, and with it a size that is not known
                // here.
                let reportedKind = keys.child(name, of: parent)?.reportedKind
                guard reportedKind == .directory else {
                    store.perform(notifier.leave(call))
                    throw .interrupted
                }
                return entry(of: call, as: reportedKind)
            case .modify, .changeAttributes, .remove: return entry(of: call)
            case .removeDirectory:
                call.lookedUp()
                return entry(of: call)
            }
        }
        // On the way to the directory that the call is in.
        guard let node = keys.child(name, of: parent) else { throw .noEntry }
        node.addLookupByAgent(.directory)
        let permissions = node.permissions ?? Permissions(owner: .privileged)
        return Entry(
            attributes: store.attributes(of: node, .directory, permissions, size: 0),
            nameLifetime: 0
        )
    }

    func makeDirectory(
        _ name: String,
        in directory: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> Entry { try await make(name, in: directory) }

    func create(
        _ name: String,
        in directory: InodeNumber,
        _ flags: OpenFlags,
        mode: UInt32,
        by caller: CallerID
    ) async throws(FilesystemError) -> (Entry, HandleID) {
        (try await make(name, in: directory), .agent)
    }

    private func make(
        _ name: String,
        in directory: InodeNumber
    ) async throws(FilesystemError) -> Entry {
        let parent = try store.findDirectory(directory)
        guard let call = notifier.call(for: name, in: parent) else { throw .exists }
        await settleOpenings(of: call)
        notifier.finish(call)
        // A program that has seen it before knows its times.
        let isNew = keys.child(name, of: parent) == nil
        let entry = entry(of: call)
        guard !call.isOwnValue, let node = keys.child(name, of: parent) else { return entry }
        if isNew { store.timestamps.met(node, at: environment.now()) }
        node.reportedKind = call.kind
        notifier.made(node, by: call)
        return entry
    }

    func unlink(_ name: String, in directory: InodeNumber) async throws(FilesystemError) {
        try await remove(name, in: directory)
    }

    func removeDirectory(
        _ name: String,
        in directory: InodeNumber
    ) async throws(FilesystemError) { try await remove(name, in: directory) }

    private func remove(_ name: String, in directory: InodeNumber) async throws(FilesystemError) {
        let parent = try store.findDirectory(directory)
        // For ENOENT the kernel would drop the name from under whoever uses it.
        guard let call = notifier.call(for: name, in: parent) else { throw .busy }
        try requireNotRefused(call)
        if call.operation == .removeDirectory {
            // The kernel looks the name up then, and again for each program from now on.
            guard call.isLookedUp else { throw .stale }
            guard await isStillGone(call) else {
                store.perform(notifier.leave(call))
                throw .busy
            }
        }
        try requireNotRefused(call)
        notifier.finish(call)
        guard !call.isOwnValue, let node = keys.child(name, of: parent) else { return }
        // Who has a file open writes to the key of that name, as without the agent. The kernel lets
        // nothing be done again in the directory that it knew.
        let isNeeded = call.isReshaping || node.childCount > 0 || store.files.hasAny(of: node)
        guard isNeeded else { return keys.unlink(node) }
        if call.kind == .directory { replace(node) }
    }

    /// The entry of a key that is to be told as made, and that shows otherwise by now. It may be in
    /// use: its name stays.
    ///
    /// - Throws: ``FilesystemError/interrupted`` for a file, of which the size is not known here.
    private func entryOfOther(_ call: PendingCall<WatchedKeys>) throws(FilesystemError) -> Entry? {
        guard !call.isOwnValue, let node = keys.child(call.name, of: call.directory),
            let kind = node.reportedKind, kind != call.kind, node.lookups(kind) > 0
        else { return nil }
        notifier.finish(call)
        guard kind == .directory else { throw .interrupted }
        node.addLookupByAgent(kind)
        return Entry(
            attributes: store.attributes(of: node, kind, call.shown.permissions, size: 0),
            nameLifetime: 0
        )
    }

    /// Whether somebody has mounted something on what a call makes, or in it. That another name
    /// comes for a moment, or none, would detach it: inotify does not show it.
    private func wouldDetach(_ call: PendingCall<WatchedKeys>) async -> Bool {
        guard let node = knownOtherwise(call), let path = notifier.pathOnMount(of: call) else {
            return false
        }
        if node.directoryLookups > 0, !node.isKnownByAgentOnly {
            await kernelCache.retries.waitForQuiet()
        }
        guard environment.holdsMount(path) else { return false }
        notifier.finish(call)
        return true
    }

    /// The key of a call, where the kernel knows it as something else than what the agent is told.
    private func knownOtherwise(_ call: PendingCall<WatchedKeys>) -> KeyNode? {
        guard !call.isOwnValue, let node = keys.child(call.name, of: call.directory),
            node.lookups(.file) > 0 || node.lookups(.directory) > 0
        else { return nil }
        let isOther =
            switch call.operation {
            case .create, .makeDirectory: true
            case .remove: node.reportedKind == .directory
            case .removeDirectory: node.reportedKind == .file
            case .modify, .changeAttributes: false
            }
        return isOther ? node : nil
    }

    /// - Throws: ``FilesystemError/busy`` where the key of a removal was made again.
    private func requireNotRefused(_ call: PendingCall<WatchedKeys>) throws(FilesystemError) {
        guard let actions = notifier.refuse(call) else { return }
        store.perform(actions)
        throw .busy
    }

    /// Whether what a call tells has happened, as soon as that is known.
    private func hasHappened(_ call: PendingCall<WatchedKeys>) async -> Bool {
        await withCheckedContinuation { continuation in
            call.whenKnown { continuation.resume(returning: $0) }
        }
    }

    /// Whether a directory is none at this moment.
    ///
    /// The kernel says ENOENT to all who are in a directory that was removed, without asking. That
    /// is true of those who were on their way before this question was asked; whoever comes later
    /// looks the name up, and finds what is there then.
    private func isStillGone(_ call: PendingCall<WatchedKeys>) async -> Bool {
        guard let path = try? call.directory.path(ofChild: call.name) else { return false }
        call.askAgain()
        environment.start { [self] in
            let query = StatQuery(path, at: store.changes.version)
            call.answer(isGone(call, await store.reader.access.stat([query])[0]))
        }
        // The kernel has the directory and the one above it locked meanwhile.
        environment.after(FilesystemLimits.removalQuestion) { call.cancel() }
        return await hasHappened(call)
    }

    private func isGone(
        _ call: PendingCall<WatchedKeys>,
        _ answer: Result<KeyStat, XenstoreError>
    ) -> Bool {
        do throws(XenstoreError) {
            let stat = try answer.get()
            guard call.isReshaping, let node = keys.child(call.name, of: call.directory) else {
                return false
            }
            return keys.kind(stat, of: node) != .directory
        } catch {
            return error == .refused(.noEntry)
        }
    }

    /// Gives the key of a name another node, and with it what programs have open, and what is in
    /// memory alone.
    private func replace(_ node: KeyNode) {
        let new = keys.replace(node)
        store.scratch.moveAll(from: node, to: new)
        store.files.moveAll(from: node, to: new)
        keys.dropUnused(node)
    }

    func openFromMemory(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) throws(FilesystemError) -> HandleID? {
        let (node, kind) = try store.find(inode)
        if let call = notifier.call(for: node, isDirectory: kind == .directory) {
            notifier.finish(call)
        }
        return .agent
    }

    /// Attributes are what they are. Where the store is still asked whether the content has
    /// changed, its answer is awaited; EBUSY if it has not.
    func setAttributes(
        _ changes: AttributeChanges,
        of inode: InodeNumber,
        handle: HandleID?
    ) async throws(FilesystemError) -> Attributes {
        let (node, kind) = try store.find(inode)
        guard let call = notifier.call(for: node, isDirectory: kind == .directory) else {
            throw .stale
        }
        guard await hasHappened(call) else {
            let operation = call.operation.name
            environment.logs.inotify.debug(
                "\(operation) \(call.name): no event, as nothing of it has changed"
            )
            notifier.finish(call)
            throw .busy
        }
        await settleOpenings(of: call)
        // A change of the content goes on with opening it.
        if call.operation != .modify { notifier.finish(call) }
        return attributesForAgent(node, kind, call, isSure: true)
    }

    /// Waits for programs that read the file, or are about to open it once more: the kernel takes a
    /// size with the answer, and could move the end of what they read.
    private func settleOpenings(of call: PendingCall<WatchedKeys>) async {
        guard call.kind == .file else { return }
        let node =
            call.isOwnValue
            ? call.directory : keys.child(call.name, of: call.directory)
        await kernelCache.retries.settle {
            node.map { store.files.isBeingRead($0, at: environment.elapsed) } ?? false
        }
    }

    // MARK: Everything else

    func attributesFromMemory(
        of inode: InodeNumber,
        handle: HandleID?,
        by caller: CallerID
    ) throws(FilesystemError) -> Attributes? {
        try store.attributesFromMemory(of: inode, handle: handle, by: caller)
    }

    func attributesFromStore(
        of inode: InodeNumber,
        handle: HandleID?,
        by caller: CallerID
    ) async throws(FilesystemError) -> Attributes {
        try await store.attributesFromStore(of: inode, handle: handle, by: caller)
    }

    func requireAccess(
        _ rights: AccessRights,
        to inode: InodeNumber
    ) async throws(FilesystemError) {}

    func openFromStore(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) async throws(FilesystemError) -> HandleID { throw .busy }

    func read(
        _ handle: HandleID,
        offset: Int,
        count: Int
    ) throws(FilesystemError) -> ArraySlice<UInt8> { throw .busy }

    func write(
        _ bytes: [UInt8],
        to handle: HandleID,
        offset: Int
    ) async throws(FilesystemError) { throw .busy }

    func isStream(_ handle: HandleID) -> Bool { false }

    func isReadable(_ handle: HandleID) -> Bool { true }

    func readStream(
        _ handle: HandleID,
        count: Int,
        waits: Bool
    ) async throws(FilesystemError) -> ArraySlice<UInt8> { throw .busy }

    func releaseFromMemory(_ handle: HandleID) -> Bool { true }

    func openDirectory(
        _ inode: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> HandleID { throw .busy }

    func list(
        _ handle: HandleID,
        offset: Int,
        fits: (_ name: String) -> Bool
    ) async throws(FilesystemError) -> [DirectoryEntry] { throw .busy }

    func releaseDirectory(_ handle: HandleID) {}

    func rename(
        _ name: String,
        in directory: InodeNumber,
        to newName: String,
        in newDirectory: InodeNumber,
        _ mode: RenameMode,
        by caller: CallerID
    ) async throws(FilesystemError) { throw .busy }

    func path(of inode: InodeNumber) -> String { store.path(of: inode) }

    func path(of handle: HandleID) -> String { store.path(of: handle) }

    func path(ofDirectory handle: HandleID) -> String { store.path(ofDirectory: handle) }

    // MARK: Its life

    func agentHasCalled() {
        kernelCache.sizes.acknowledge(at: environment.elapsed)
    }

    func agentIsDone() {
        kernelCache.sizes.acknowledge(at: environment.elapsed)
        kernelCache.endInjections()
        store.perform(notifier.agentIsDone())
    }

    func agentHasStarted() {
        kernelCache.sizes.acknowledge(at: environment.elapsed)
        kernelCache.endInjections()
        store.perform(notifier.agentHasStarted())
    }

    func agentHasEnded() {
        kernelCache.sizes.acknowledge(at: environment.elapsed)
        kernelCache.endInjections()
        notifier.agentHasEnded()
    }

    private func entry(of call: PendingCall<WatchedKeys>, as reportedKind: FileKind? = nil) -> Entry
    {
        let kind = reportedKind ?? call.kind
        let node =
            call.isOwnValue
            ? call.directory : keys.insertChild(call.name, of: call.directory)
        node.addLookupByAgent(kind)
        return Entry(
            attributes: attributesForAgent(node, kind, call, isSure: false),
            nameLifetime: nameLifetime(of: call, node)
        )
    }

    // MARK: Answers

    /// The size for the kernel when the inotify agent changes a file: that of the lease, by which
    /// the kernel answers; or of what programs have open, as they may read by sendfile(2).
    ///
    /// - Parameter current: the size as of the change.
    private func sizeForAgent(_ node: KeyNode, _ kind: FileKind, current: Int) -> Int {
        let kept = kernelCache.beginInjection(into: node)
        guard kind == .file else { return current }
        if store.options.cache == .watch {
            // The kernel goes by this size itself when a program seeks to the end.
            let changed = store.files.last(of: node) { $0.hidesValue }
            return changed?.content.count ?? kept ?? current
        }
        if let open = store.files.largestSize(of: node) { return open }
        // Never less than a program was given before: it may be about to open the file.
        return node.reportedSize == .max ? current : max(current, Int(node.reportedSize))
    }

    /// - Parameter isSure: whether the kernel takes the attributes in any case. Those of a lookup
    ///   it leaves if it has taken another answer meanwhile.
    private func attributesForAgent(
        _ node: KeyNode,
        _ kind: FileKind,
        _ call: PendingCall<WatchedKeys>,
        isSure: Bool
    ) -> Attributes {
        let reported = Int(node.reportedSize)
        let size = sizeForAgent(node, kind, current: call.shown.size)
        let attributes = store.attributes(of: node, kind, call.shown.permissions, size: size)
        guard kind == .file else { return attributes }
        node.limitReportedSize(reported)
        kernelCache.sizes.give(size, of: node, isSure: isSure)
        return attributes
    }

    /// The kernel may keep a name where nothing has happened to it since the store was asked, so
    /// that the next call is one request less.
    private func nameLifetime(of call: PendingCall<WatchedKeys>, _ node: KeyNode) -> Double {
        // Who comes to a directory looks it up: it is only then that what is below is told.
        guard !call.isRemoval, !call.isOwnValue, call.kind == .file,
            node.reportedKind ?? .file == .file,
            let path = try? node.path(), !notifier.hasLocalChange(at: path)
        else { return 0 }
        node.reportedKind = call.kind
        return kernelCache.nameLifetime(path, asOf: call.version)
    }
}

extension PendingCall {
    fileprivate var kind: FileKind { isOfDirectory ? .directory : .file }
}

extension HandleID {
    /// What the agent opens. Nothing can be read from it or written to it.
    public static let agent = HandleID(rawValue: 0)
}
