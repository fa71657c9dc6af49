/// What the kernel may keep of a key by itself, until an event takes it back.
final class Lease {
    /// The size of the file, as it was granted last; nil where only the directory's attributes
    /// were.
    private(set) var size: Int?
    /// The thread that the size was granted to, and that may not have read the answer yet; nil when
    /// it has.
    private var grantee: CallerID?
    private var grantedAt = Duration.zero
    /// Whether the kernel has the content as it is.
    var keepsContent = false
    /// Whether the kernel has the listing as it is.
    var keepsListing = false

    /// A system call of `caller` is answered with the file's size.
    func grant(_ size: Int, to caller: CallerID, at now: Duration) {
        guard self.size != size else { return }
        self.size = size
        (grantee, grantedAt) = (caller, now)
    }

    /// The thread that the size was granted to has come back: the kernel has taken note.
    func acknowledge() {
        grantee = nil
    }

    /// Whether the kernel knows the size. It does when the thread that asked comes back, or after a
    /// while: what else the thread does is not seen here.
    func isAcknowledged(at now: Duration) -> Bool {
        if grantee != nil, now - grantedAt >= FilesystemLimits.quietPeriod { grantee = nil }
        return grantee == nil
    }

    /// Whether the kernel cuts at this size what `caller` reads now.
    func covers(_ size: Int, readBy caller: CallerID, at now: Duration) -> Bool {
        guard self.size == size else { return false }
        if grantee == caller { grantee = nil }
        return isAcknowledged(at: now)
    }
}
