import Glibc
public import Testing

/// A version of Xen whose daemons the tests run, see `Tests/Daemons`.
public enum XenVersion: String, CaseIterable, Comparable, Sendable, CustomTestStringConvertible {
    /// The host's.
    case xen417 = "4.17"
    /// Debian 13's, which `Tests/Daemons/fetch` unpacks.
    case xen420 = "4.20"

    /// What a test runs that is not about a version.
    ///
    /// `XSFS_TEST_XEN` names another.
    public static let usual: XenVersion = {
        guard let value = getenv("XSFS_TEST_XEN") else { return .xen417 }
        guard let version = XenVersion(rawValue: String(cString: value)) else {
            preconditionFailure("XSFS_TEST_XEN is one of \(allCases.map(\.rawValue))")
        }
        return version
    }()

    public var testDescription: String { "Xen \(rawValue)" }

    public static func < (left: XenVersion, right: XenVersion) -> Bool {
        guard let left = allCases.firstIndex(of: left), let right = allCases.firstIndex(of: right)
        else { return false }
        return left < right
    }
}
