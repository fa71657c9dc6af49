import XenstoreProtocol

/// Files and directories that are read by way of the kernel's cache.
extension Filesystem {
    public func invalidationBarrier() async { await kernelCache.barrier() }

    // MARK: Files

    /// Opens a file to be read by way of the kernel's cache: it is there, and nothing is asked.
    func openLeased(_ node: KeyNode) -> HandleID? {
        guard kernelCache.mayOpen(node) else { return nil }
        node.handleCount += 1
        return files.insert(.leased(node))
    }

    public func caching(of handle: HandleID) -> Caching {
        guard case .leased(let node) = try? files.find(handle) else { return .none }
        return kernelCache.keepsContent(of: node) ? .kept : .fresh
    }

    /// This mount takes a key away: who has it open to be read by way of the kernel's cache reads
    /// on what it was, as on a disk.
    ///
    /// - Parameter value: the last that the key had.
    func keepContent(_ value: [UInt8], of node: KeyNode) {
        guard options.cache == .watch, node.handleCount > 0 else { return }
        let content = options.valueForm.content(of: value)
        files.replaceLeased(of: node) {
            OpenFile(
                node: node,
                flags: .read,
                opener: .nobody,
                content: content,
                opened: environment.elapsed()
            )
        }
    }

    /// Reads what the kernel has not kept.
    func readLeased(
        _ node: KeyNode,
        offset: Int,
        count: Int,
        by caller: CallerID
    ) async throws(FilesystemError) -> ArraySlice<UInt8> {
        let path = try node.path()
        let stat: KeyStat
        do throws(FilesystemError) {
            stat = try await reader.stat(of: path, node: node)
        } catch .noEntry {
            // Others have removed it, and nobody has what it was.
            throw .stale
        }
        let content = options.valueForm.content(of: stat.value)
        let isKept = kernelCache.keep(
            contentOf: node,
            path,
            size: content.count,
            asOf: stat.version,
            readBy: caller
        )
        guard isKept else {
            kernelCache.revoke(node)
            // Without a watch nobody could keep the attributes.
            guard kernelCache.isLeasing else { throw .stale }
            guard !kernelCache.retries.mayInterruptRead(by: caller) else { throw .interrupted }
            return content.part(offset: offset, count: count)
        }
        return content.part(offset: offset, count: count)
    }

    // MARK: Directories

    public func listingCaching(of handle: HandleID) -> Caching {
        (try? directories.find(handle))?.caching ?? .none
    }

    /// Opens a directory of which the kernel has the names: they are asked for only if it wants
    /// them again.
    func openLeasedDirectory(_ node: KeyNode, by caller: CallerID) -> HandleID? {
        guard let lease = kernelCache.keptListing(of: node) else { return nil }
        node.handleCount += 1
        let directory = OpenDirectory(node: node, caller: caller, listing: nil)
        directory.lease = lease
        return directories.insert(directory)
    }

    /// Lets the kernel keep the names of a listing.
    ///
    /// - Returns: the lease on which it does; nil where it does not.
    func lease(_ listing: Listing, of node: KeyNode) -> ListingLease? {
        // Scratch files come and go without an event.
        guard kernelCache.isLeasing, scratch.names(in: node).isEmpty, !hasOlderListing(node)
        else { return nil }
        return kernelCache.leaseListing(of: node, asOf: listing.stat.version)
    }

    /// Whether a program has a directory open since before its lease. The kernel keeps what that
    /// one reads, too, and at a moment that is not known.
    private func hasOlderListing(_ node: KeyNode) -> Bool {
        node.handleCount > 0
            && directories.contains { directory in
                guard directory.node === node, let lease = directory.lease else { return false }
                return !kernelCache.keeps(lease, of: node)
            }
    }
}
