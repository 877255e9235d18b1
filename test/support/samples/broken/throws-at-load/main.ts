if (Date.now() > 0) throw new Error('broken on purpose');

export default {};
