import XenstoreProtocol

/// An open directory: one consistent listing, and a program that goes through it.
final class OpenDirectory {
    let node: KeyNode
    let caller: CallerID
    /// Nil where the kernel has the names already.
    var listing: Listing?
    /// Whether the kernel had them.
    private let isKept: Bool
    /// On which the kernel keeps what it reads; nil where it does not.
    var lease: ListingLease?
    /// What the store said at the opening, until the program reads from the start.
    var firstAnswer: CachedStat?
    var readahead = ReadaheadWindow()

    init(node: KeyNode, caller: CallerID, listing: Listing?) {
        self.node = node
        self.caller = caller
        self.listing = listing
        isKept = listing == nil
    }

    var caching: Caching {
        guard lease != nil else { return .none }
        return isKept ? .kept : .fresh
    }
}
