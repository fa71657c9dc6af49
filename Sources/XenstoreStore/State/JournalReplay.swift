import XenstoreProtocol

/// Makes the nodes and domains of a store again from the records of a journal.
struct JournalReplay {
    private let nodes: NodeStore
    private let accounts: DomainAccounts

    init(_ state: StoreState) {
        nodes = state.nodes
        accounts = state.accounts
    }

    /// Makes the changes of a record again. No event is sent.
    ///
    /// - Throws: ``JournalError`` where the record does not follow from what the store holds; the
    ///   store is of no use then.
    func replay(_ record: ArraySlice<UInt8>) throws(JournalError) {
        var decoder = JournalDecoder(record)
        while let change = try decoder.next() {
            if case .node(let change) = change, !isPossible(change) { throw JournalError() }
            replay(change)
        }
    }

    /// Makes the changes of a record again as far as they can be made, where one before it is
    /// missing: nodes above others that are not there are made for the privileged domain alone.
    ///
    /// - Returns: how many changes could not be made.
    func salvage(_ record: ArraySlice<UInt8>) -> Int {
        var decoder = JournalDecoder(record)
        var lost = 0
        while true {
            do throws(JournalError) {
                guard let change = try decoder.next() else { return lost }
                let made = possible(change)
                for change in made { replay(change) }
                if made.isEmpty { lost += 1 }
            } catch {
                return lost + 1
            }
        }
    }

    /// What can be done of a change.
    private func possible(_ change: JournalEntry) -> [JournalEntry] {
        guard case .node(let change) = change else { return [change] }
        let tree = nodes.tree
        switch change {
        case _ where isPossible(change): return [.node(change)]
        case .create(let path, _, let value, let permissions) where tree.node(at: path) != nil:
            return path.isSpecial
                ? [] : [.node(.setValue(path, value)), .node(.setPermissions(path, permissions))]
        case .create(let path, _, let value, let permissions) where !path.isSpecial:
            return creation(of: path, value) + [.node(.setPermissions(path, permissions))]
        case .setValue(let path, let value) where !path.isSpecial: return creation(of: path, value)
        default: return []
        }
    }

    private func creation(of path: StorePath, _ value: [UInt8]) -> [JournalEntry] {
        let levels = path.depth - nodes.tree.deepest(to: path).level
        let permissions = Permissions(owner: .privileged)
        return [.node(.create(path, levels: levels, value: value, permissions: permissions))]
    }

    private func replay(_ change: JournalEntry) {
        switch change {
        case .node(let change): nodes.replay(change)
        case .domain(let domain, let state): accounts.replay(state, of: domain)
        case .forgotten(let domain):
            accounts.remove(domain)
            nodes.removeEntries(of: domain)
        case .quota(let quota, let value): accounts.replay(quota, value)
        case .cleared:
            nodes.clear()
            accounts.clear()
        }
    }

    /// What a tree takes for granted.
    private func isPossible(_ change: Transaction.Change) -> Bool {
        switch change {
        case .create(let path, let levels, _, _):
            !path.isSpecial && nodes.tree.deepest(to: path).level == path.depth - levels
        case .setValue(let path, _): !path.isSpecial && nodes.tree.node(at: path) != nil
        case .setPermissions(let path, _): nodes.tree.node(at: path) != nil
        case .remove(let path):
            !path.isSpecial && !path.isRoot && nodes.tree.node(at: path) != nil
        }
    }
}
