import ChangeNotification
import XenstoreProtocol

/// The door for what the store answers.
///
/// Of a key that is there, inotify hears first: a removal that is on its way to the agent must not
/// be told. Then its times, which compare the answer with the one before, and then it is kept.
extension Filesystem: StoreAnswerObserver {
    func learnedValue(_ stat: KeyStat, of node: KeyNode, at path: XenstorePath) {
        markExists(node)
        timestamps.learnedValue(stat, of: node, at: path)
        node.hasValue = !stat.value.isEmpty
    }

    /// Keeps what an answer told, unless a change has come since it was asked.
    func learned(_ stat: KeyStat, of node: KeyNode, at path: XenstorePath) {
        // It is about the path: the key may have been moved meanwhile.
        guard node.isAt(path) else { return }
        markExists(node)
        timestamps.learned(stat, of: node, at: path)
        node.hasValue = !stat.value.isEmpty
        node.isStaleInKernel = false
        if node.hasValue { node.createdBy = nil }
        if stat.hasChildren {
            node.emptyKind = .directory
        } else if stat.names != nil, node.childCount > 0 {
            // Only where the store was asked: this mount may have made one since it last said so.
            dropChildren(of: node)
        }
        guard changes.mayKeep(path, asOf: stat.version) else { return }
        node.hasChildren = stat.hasChildren
        // oxenstored tells nobody of a change of its root itself.
        guard !path.isRoot else { return }
        // A key inherits its parent's permissions: most share them, and need no copy.
        let inherited = node.parent?.permissions
        node.permissions = inherited == stat.permissions ? inherited : stat.permissions
    }

    /// The key is gone: nothing that was known of it holds, and the kernel need not keep it.
    func missing(_ node: KeyNode) {
        timestamps.lost(node)
        dropRemoved(node)
        if node.deferredCreateCount == 0, !node.isRoot {
            kernelCache.invalidateEntry(of: node, .removed)
        }
        keys.dropUnused(node)
    }

    /// A key has no children, so those that it had are gone. One that is being created is still to
    /// come.
    func dropChildren(of node: KeyNode) {
        for child in keys.subtree(of: node).dropFirst() where child.deferredCreateCount == 0 {
            dropRemoved(child)
        }
        keys.dropMemory(below: node)
    }

    /// A key was not there, and so nothing below it was: all that was remembered of them is over.
    func dropRemoved(_ removed: KeyNode) {
        for node in keys.subtree(of: removed) {
            // With the name above them the kernel forgets all but what is in use, and what leads
            // to that.
            if node !== removed, node.fileLookups + node.directoryLookups > 0 {
                kernelCache.invalidateEntry(of: node, .removedAbove)
            }
            node.dropStat()
            node.isGone = true
            timestamps.forget(node)
            node.emptyKind = nil
            node.isStickyDirectory = false
            node.createdBy = nil
            scratch.unlinkAll(in: node)
        }
        keys.dropMemory(below: removed)
    }

    /// The key is there, says the store, or this mount has just made it.
    func markExists(_ node: KeyNode) {
        node.isGone = false
        guard notifier.wantsToKnow else { return }
        var node = node
        // And so is all that is above it.
        while let parent = node.parent {
            notifier.exists(node.name, in: parent)
            node = parent
        }
    }
}
