/// What a kernel offers to a mount, and older ones do not. `docs/XEN.md` has the versions.
public struct KernelSupport: Sendable {
    /// The raw values are labels of `.xsfs/status`, and words of the log.
    public enum Feature: String, CaseIterable, Sendable {
        /// The inotify agent opens a path without leaving the mount in one call, and not by a call
        /// for each name.
        case openat2
        /// The inotify agent works on a copy of the mount, and not on the mount itself, which could
        /// be busy for that moment.
        case openTree = "open_tree"
        /// The kernel keeps listings with `cache=watch`.
        case keptListings = "kept_listings"
        /// close(2) asks nothing of the mount where nothing is pending.
        case closeWithoutFlush = "close_without_flush"
        /// Names may have more than ``FilesystemLimits/shortName`` bytes.
        case longNames = "long_names"
    }

    public let missing: Set<Feature>

    public init(missing: Set<Feature>) { self.missing = missing }

    /// For the log: what the kernel does not offer, in words; nil where that is nothing.
    public var complaint: String? {
        guard !missing.isEmpty else { return nil }
        let names = Feature.allCases.filter(missing.contains).map(\.rawValue)
        return "this kernel does not offer \(names.joined(separator: ", ")): see docs/XEN.md"
    }

    /// Whether a listing may have a name: one that the kernel does not take would fail it all.
    public func takes(_ name: String) -> Bool {
        !missing.contains(.longNames) || name.utf8.count <= FilesystemLimits.shortName
    }
}
