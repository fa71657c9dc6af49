/// What the kernel may keep of a key by itself, until an event takes it back.
final class Lease {
    /// The size of the file, as it was told last; nil where only the directory's attributes were.
    private(set) var size: Int?
    /// Who was told the size, and may not have read the answer yet; nil when that is sure.
    private var told: CallerID?
    private var toldAt = Duration.zero
    /// Whether the kernel has the content as it is.
    var keepsContent = false
    /// Whether the kernel has the listing as it is.
    var keepsListing = false

    /// A system call of `caller` is told the file's size.
    func tell(_ size: Int, to caller: CallerID, at now: Duration) {
        guard self.size != size else { return }
        self.size = size
        (told, toldAt) = (caller, now)
    }

    /// Whoever was told the size has come back: the kernel has taken note.
    func confirm() {
        told = nil
    }

    /// Whether the kernel knows the size. Whoever was told it comes back when it does; or has gone
    /// on to something else, which nobody hears of.
    func isTaken(at now: Duration) -> Bool {
        if told != nil, now - toldAt >= FilesystemLimits.settling { told = nil }
        return told == nil
    }

    /// Whether the kernel cuts at this size what `caller` reads now.
    func covers(_ size: Int, readBy caller: CallerID, at now: Duration) -> Bool {
        guard self.size == size else { return false }
        if told == caller { told = nil }
        return isTaken(at: now)
    }
}
